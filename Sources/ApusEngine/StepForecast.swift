import ApusModel

/// Expects the time of a step: from what the engine knows of itself, and from what the passes before it took.
///
/// The coordinator calls an engine hung only past the time that it expected itself, so a forecast errs on the long side:
/// it is a multiple of the slowest recent pass of the kind, and follows a rise at once and a fall slowly.
struct StepForecast: Sendable {
    // Nanoseconds as plain numbers: a step of microseconds is measured and expected as often as one of seconds.
    /// Time of a whole canonical chunk; `nil` while nothing is known.
    private var chunk: Double?

    /// Time of a decoding pass, and its rows; `nil` while nothing is known.
    private var decode: Double?
    private var decodeRows = 1.0

    private let chunkTokens: Double

    /// A pass may take so many times longer than the recent ones: other load on the machine.
    private static let margin = 3.0

    /// A chunk of any size takes this share of a whole one.
    private static let leastShare = 1.0 / 8

    /// A pass of an engine of which nothing is known, 10 s: a slow model on a slow machine.
    private static let unknownPass = 10e9

    /// No step is expected to take longer, 60 s: the most that the coordinator grants.
    private static let longest = 60e9

    /// Expects what the engine knows.
    ///
    /// - Parameters:
    ///   - chunkTokens: Tokens of a canonical chunk.
    ///   - prefillTime: Time of a canonical chunk, where it is known.
    ///   - stepTime: Time of a decoding pass of one row, where it is known.
    init(chunkTokens: Int, prefillTime: Duration?, stepTime: Duration?) {
        self.chunkTokens = Double(chunkTokens)
        chunk = prefillTime.map(Self.bounded)
        decode = stepTime.map(Self.bounded)
    }

    /// Expects the time of a step that runs a chunk of some tokens, or a decoding pass where there are rows.
    func time(chunk tokens: Int, rows: Int) -> Duration {
        var time = 0.0
        if tokens > 0 {
            // The smallest chunk still reads all of the weights.
            let share = max(min(1, Double(tokens) / chunkTokens), Self.leastShare)
            time += chunk.map { Self.margin * $0 * share } ?? Self.unknownPass
        }
        if rows > 0 {
            // Cost is at most proportional to the rows.
            let growth = max(1, Double(rows) / decodeRows)
            time += decode.map { Self.margin * $0 * growth } ?? Self.unknownPass
        }
        return .nanoseconds(Int64(min(time, Self.longest)))
    }

    /// Takes the time of a chunk.
    mutating func chunkMeasured(tokens: Int, time: Duration) {
        let share = min(1, Double(max(1, tokens)) / chunkTokens)
        let measured = Self.bounded(time)
        // Time grows at most with the tokens, so that a whole chunk takes no longer than this.
        let most = measured / share
        // A small chunk's time is mostly that of reading the weights once: it says only how long a small one takes.
        let least = measured / max(share, Self.leastShare)
        guard let expected = chunk else {
            chunk = most
            return
        }
        chunk = share < 0.5 && most > expected ? max(expected, least) : Self.following(most, from: expected)
    }

    /// Takes the time of a batched pass.
    mutating func decodeMeasured(rows: Int, time: Duration) {
        let measured = Self.bounded(time)
        decode = decode.map { Self.following(measured, from: $0) } ?? measured
        // Time and rows fall alike, so that a pass of few rows does not make the next large one look cheap or dear.
        decodeRows = Self.following(Double(max(1, rows)), from: decodeRows)
    }

    private static func bounded(_ time: Duration) -> Double {
        min(max(Double(time.nanoseconds), 0), longest)
    }

    private static func following(_ measured: Double, from expected: Double) -> Double {
        measured > expected ? measured : expected + (measured - expected) / 8
    }
}
