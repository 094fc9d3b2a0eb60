/// What the clients of one run saw; times are virtual and in milliseconds.
///
/// The first jobs of a run warm it up and are left out, except from the hit rate, which the workers count.
public struct PolicyMeasurement: Hashable, Sendable {
    /// Jobs that are measured.
    public var jobs = 0

    /// From the submit to the first token at the client: the median.
    public var firstTokenP50 = 0.0

    /// From the submit to the first token at the client: of a hundred jobs all but one have it.
    public var firstTokenP99 = 0.0

    /// A job's mean time between two of its tokens at the client: the median job.
    public var tokenTimeP50 = 0.0

    /// A job's mean time between two of its tokens at the client: of a hundred jobs all but one have it.
    public var tokenTimeP99 = 0.0

    /// Jobs a second that meet the objective, over the time from the first submit to the last token.
    public var goodput = 0.0

    /// The part of the prompt tokens that no worker had to compute.
    public var hitRate = 0.0

    /// Jain's index over the clients of equal rate and share, of their mean times to the first token: 1 where all wait alike, 1/n
    /// where one waits for all.
    public var fairness = 0.0

    /// Nothing is measured.
    public init() {}

    /// Every quantity with the name under which it is printed, its digits, and whether more of it is better.
    public static let columns: [Column] = [
        Column("TTFT p50 ms", \.firstTokenP50),
        Column("TTFT p99 ms", \.firstTokenP99),
        Column("token p50 ms", \.tokenTimeP50, digits: 1),
        Column("token p99 ms", \.tokenTimeP99, digits: 1),
        Column("goodput jobs/s", \.goodput, digits: 2),
        Column("hit rate %", \.hitRate, scale: 100, digits: 1),
        Column("fairness", \.fairness, digits: 3),
    ]

    /// A quantity, for a table.
    public struct Column: Sendable {
        /// What it is called, with its unit.
        public let name: String

        /// Where it is found.
        public let path: any Sendable & KeyPath<PolicyMeasurement, Double>

        /// What it is multiplied with to be in its unit.
        public let scale: Double

        /// The digits behind the point.
        public let digits: Int

        init(
            _ name: String,
            _ path: any Sendable & KeyPath<PolicyMeasurement, Double>,
            scale: Double = 1,
            digits: Int = 0
        ) {
            self.name = name
            self.path = path
            self.scale = scale
            self.digits = digits
        }
    }

    /// The mean of each quantity over runs.
    ///
    /// - Parameter runs: One or more.
    /// - Returns: The means, and the sum of the jobs.
    static func mean(of runs: [PolicyMeasurement]) -> PolicyMeasurement {
        func mean(_ value: (PolicyMeasurement) -> Double) -> Double {
            runs.reduce(0) { $0 + value($1) } / Double(max(runs.count, 1))
        }
        var result = PolicyMeasurement()
        result.jobs = runs.reduce(0) { $0 + $1.jobs }
        result.firstTokenP50 = mean(\.firstTokenP50)
        result.firstTokenP99 = mean(\.firstTokenP99)
        result.tokenTimeP50 = mean(\.tokenTimeP50)
        result.tokenTimeP99 = mean(\.tokenTimeP99)
        result.goodput = mean(\.goodput)
        result.hitRate = mean(\.hitRate)
        result.fairness = mean(\.fairness)
        return result
    }
}
