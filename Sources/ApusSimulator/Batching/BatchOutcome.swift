/// What the streams of a batching scenario saw.
public struct BatchOutcome: Hashable, Sendable {
    /// Of all tokens but each stream's first, the part that came within the target after the one before, while their
    /// stream ran.
    public var kept = 0.0

    /// The time between two tokens that 99 of 100 had at most, in milliseconds.
    public var tokenTimeP99 = 0.0

    /// Tokens a second, from the first arrival to the last token.
    public var throughput = 0.0

    /// Tokens a second that kept the target.
    public var goodput = 0.0

    /// Mean rows of a step.
    public var rows = 0.0

    /// From a stream's arrival to its first token: the median, in milliseconds.
    public var firstTokenP50 = 0.0

    /// From a stream's arrival to its first token: 99 of 100 had it by then, in milliseconds.
    public var firstTokenP99 = 0.0

    /// Every quantity with the name under which it is printed, what it is multiplied with, and its digits.
    public static let columns:
        [(name: String, path: any Sendable & KeyPath<BatchOutcome, Double>, scale: Double, digits: Int)] = [
            ("target kept %", \.kept, 100, 1),
            ("token p99 ms", \.tokenTimeP99, 1, 1),
            ("tokens/s", \.throughput, 1, 1),
            ("kept tokens/s", \.goodput, 1, 1),
            ("mean rows", \.rows, 1, 1),
            ("TTFT p50 ms", \.firstTokenP50, 1, 0),
            ("TTFT p99 ms", \.firstTokenP99, 1, 0),
        ]

    /// The mean of each quantity.
    ///
    /// - Parameter outcomes: One or more.
    /// - Returns: The means.
    static func mean(of outcomes: [BatchOutcome]) -> BatchOutcome {
        func mean(_ value: (BatchOutcome) -> Double) -> Double {
            outcomes.reduce(0) { $0 + value($1) } / Double(max(1, outcomes.count))
        }
        var result = BatchOutcome()
        result.kept = mean(\.kept)
        result.tokenTimeP99 = mean(\.tokenTimeP99)
        result.throughput = mean(\.throughput)
        result.goodput = mean(\.goodput)
        result.rows = mean(\.rows)
        result.firstTokenP50 = mean(\.firstTokenP50)
        result.firstTokenP99 = mean(\.firstTokenP99)
        return result
    }
}
