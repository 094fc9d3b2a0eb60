import ApusModel

/// The rule of the policy `aimd`: the mean of the last three batches moves the limit by one.
///
/// From the third batch on, a mean below the target with any throughput adds one, a mean above the longest latency
/// takes one away, and between the two nothing changes.
struct AdditiveRule: Sendable {
    /// What one batch cost.
    private struct Observation {
        var nanoseconds: Int64
        var rows: Int
    }

    /// Batches that are remembered, and how many of them a decision looks at.
    private static let remembered = 10
    private static let considered = 3

    // The latencies as the sums of a decision's observations are compared with them, a batch at a time.
    private var targetSum: Int64
    private var longestSum: Int64
    private var observations: [Observation] = []

    /// A rule without observations.
    init(target: Duration, longest: Duration) {
        targetSum = Self.sum(of: target)
        longestSum = Self.sum(of: longest)
        observations.reserveCapacity(Self.remembered)
    }

    /// Takes other latencies; what was observed stays.
    mutating func configure(target: Duration, longest: Duration) {
        targetSum = Self.sum(of: target)
        longestSum = Self.sum(of: longest)
    }

    /// Takes the cost of a batch.
    ///
    /// - Parameters:
    ///   - rows: Tokens that the batch brought.
    ///   - latency: Its time.
    /// - Returns: By how much the limit moves: -1, 0 or 1.
    mutating func batchMeasured(rows: Int, latency: Duration) -> Int {
        if observations.count == Self.remembered { observations.removeFirst() }
        observations.append(Observation(nanoseconds: min(max(0, latency.nanoseconds), 1 << 60), rows: rows))
        guard observations.count >= Self.considered else { return 0 }
        // Sums of whole nanoseconds compare exactly where means in fractions would not.
        var sum: Int64 = 0
        var hasThroughput = false
        for observation in observations.suffix(Self.considered) {
            sum += observation.nanoseconds
            hasThroughput = hasThroughput || observation.rows > 0
        }
        if sum > longestSum { return -1 }
        return sum < targetSum && hasThroughput ? 1 : 0
    }

    private static func sum(of latency: Duration) -> Int64 { min(latency.nanoseconds, 1 << 60) * Int64(considered) }
}
