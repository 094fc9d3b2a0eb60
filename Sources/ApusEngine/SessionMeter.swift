import ApusModel

/// What a stream's session measured at this worker, for its summary.
///
/// Times between tokens are counted in buckets of an eighth of an octave, so that a session of any length takes the same memory.
struct SessionMeter: Sendable {
    private static let bucketsPerOctave = 8
    /// From a microsecond to a minute; what lies outside counts as the nearest.
    private static let buckets = 26 * bucketsPerOctave
    /// Batches from this size on count as this size.
    private static let largestBatch = 256

    private var counts: [UInt32] = []
    private var batches: [UInt32] = []
    private var total: Int64 = 0
    private var intervals = 0

    /// Tokens so far.
    private(set) var tokens = 0

    /// Failed passes, and those of them that the stream outlived.
    var errors = 0
    var recovered = 0

    /// Guessed tokens, and those of them that were right.
    var drafted = 0
    var accepted = 0

    /// Prompt tokens that were found computed.
    var cachedTokens = 0

    /// The most memory that the process held.
    var peakMemoryBytes: UInt64 = 0

    /// Takes a token.
    ///
    /// - Parameters:
    ///   - nanoseconds: The time since the token before, 0 where they came together; `nil` for the first one.
    ///   - batch: How many streams shared its step.
    mutating func note(interval nanoseconds: Int64?, batch: Int) {
        tokens += 1
        let size = min(batch, Self.largestBatch)
        while batches.count <= size { batches.append(0) }
        batches[size] &+= 1
        guard let nanoseconds else { return }
        if counts.isEmpty { counts = Array(repeating: 0, count: Self.buckets) }
        counts[Self.bucket(of: nanoseconds)] &+= 1
        intervals += 1
        total += nanoseconds
    }

    /// The session's summary.
    var summary: SessionSummary {
        SessionSummary(
            tokens: tokens,
            meanTokenTime: intervals == 0 ? .zero : .nanoseconds(total / Int64(intervals)),
            p95TokenTime: percentile95,
            peakMemoryBytes: peakMemoryBytes,
            errors: errors,
            recovered: recovered,
            batchSize: commonBatch,
            draftedTokens: drafted,
            acceptedTokens: accepted,
            cachedTokens: cachedTokens
        )
    }

    private var commonBatch: Int {
        var best = 0
        for (size, count) in batches.enumerated() where count > 0 && count >= batches[best] { best = size }
        return best
    }

    private var percentile95: Duration {
        guard intervals > 0 else { return .zero }
        let rank = (intervals * 95 + 99) / 100
        var seen = 0
        for (bucket, count) in counts.enumerated() {
            seen += Int(count)
            if seen >= rank { return .nanoseconds(Self.upperBound(of: bucket)) }
        }
        return .zero
    }

    /// The bucket of a time: its power of two from a microsecond on, and the eighth within it.
    private static func bucket(of nanoseconds: Int64) -> Int {
        let value = max(nanoseconds, 1_024)
        let octave = 63 - value.leadingZeroBitCount
        let eighth = Int((value >> (octave - 3)) & 7)
        return min((octave - 10) * bucketsPerOctave + eighth, buckets - 1)
    }

    private static func upperBound(of bucket: Int) -> Int64 {
        let octave = bucket / bucketsPerOctave + 10
        return (Int64(8 + bucket % bucketsPerOctave + 1) << (octave - 3)) - 1
    }
}
