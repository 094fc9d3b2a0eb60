import ApusModel

/// Chooses how many streams share an engine step, from what the last batches cost.
///
/// The rules are those of the adaptive batch controller in the requirements: the accelerator's memory gives the first
/// size; from the third batch on, the mean of the last three moves it by one; an unstable network or memory pressure
/// halves it. The size never leaves the bounds. A pure value: the pipeline feeds it facts, one a decoding pass.
public struct BatchController: Sendable {
    /// The controller's constants for one model.
    public struct Settings: Hashable, Sendable {
        /// The smallest batch, 1 or more.
        public var minimum: Int

        /// The largest batch, at least `minimum`.
        public var maximum: Int

        /// Below this mean latency of a batch there is room for one stream more.
        public var targetLatency: Duration

        /// Above this mean latency of a batch one stream less is tried.
        public var longestLatency: Duration

        /// Takes bounds and latencies; bounds that cross or fall below 1 are pulled to the nearest that make sense.
        public init(
            minimum: Int = 1,
            maximum: Int = 16,
            targetLatency: Duration = .milliseconds(100),
            longestLatency: Duration = .milliseconds(200)
        ) {
            self.minimum = max(1, minimum)
            self.maximum = max(self.minimum, maximum)
            self.targetLatency = targetLatency
            self.longestLatency = longestLatency
        }
    }

    /// What one batch cost.
    private struct Observation {
        var nanoseconds: Int64
        var throughput: Double
    }

    /// Batches that are remembered, and how many of them a decision looks at.
    private static let remembered = 10
    private static let considered = 3

    /// A network steadier than this leaves the batch alone; 1 is perfect.
    private static let steadyNetwork = 0.7

    /// The constants in force.
    public private(set) var settings: Settings

    /// The number of streams that may share a step now, within the settings' bounds.
    public private(set) var limit: Int

    private var observations: [Observation] = []
    // The settings' latencies as the sums of a decision's observations are compared with them, a batch at a time.
    private let longestSum: Int64
    private let targetSum: Int64

    /// Starts with the size that fits the accelerator's memory: over 8,000 MB up to 8, over 4,000 MB up to 4, else the
    /// minimum.
    ///
    /// - Parameters:
    ///   - settings: The model's bounds and latencies.
    ///   - acceleratorMemoryMB: Memory of the accelerator in MB; 0 for a processor.
    public init(settings: Settings = Settings(), acceleratorMemoryMB: Int = 0) {
        self.settings = settings
        longestSum = Self.sum(of: settings.longestLatency)
        targetSum = Self.sum(of: settings.targetLatency)
        let first =
            switch acceleratorMemoryMB {
            case 8_001...: min(8, settings.maximum)
            case 4_001...: min(4, settings.maximum)
            default: settings.minimum
            }
        limit = max(settings.minimum, first)
        observations.reserveCapacity(Self.remembered)
    }

    /// Takes the cost of a batch and moves the limit by at most one.
    ///
    /// - Parameters:
    ///   - latency: The time of the batch's pass.
    ///   - throughput: Tokens a second of the batch.
    public mutating func batchMeasured(latency: Duration, throughput: Double) {
        if observations.count == Self.remembered { observations.removeFirst() }
        observations.append(Observation(nanoseconds: min(latency.nanoseconds, 1 << 60), throughput: throughput))
        guard observations.count >= Self.considered else { return }
        // Sums of whole nanoseconds compare exactly where means in fractions would not.
        var sum: Int64 = 0
        var throughputSum = 0.0
        for observation in observations.suffix(Self.considered) {
            sum += observation.nanoseconds
            throughputSum += observation.throughput
        }
        if sum > longestSum {
            move(to: limit - 1)
        } else if sum < targetSum, throughputSum > 0 {
            move(to: limit + 1)
        }
    }

    /// Halves the limit when the network is unsteady.
    ///
    /// - Parameter stability: From 0, nothing arrives, to 1, perfect.
    public mutating func networkMeasured(stability: Double) {
        if stability < Self.steadyNetwork { move(to: limit / 2) }
    }

    /// Halves the limit because memory runs short.
    ///
    /// - Returns: Whether the limit changed; `false` says that it was at its minimum already.
    public mutating func memoryPressureNoticed() -> Bool {
        let before = limit
        move(to: limit / 2)
        return limit != before
    }

    /// Takes new bounds while streams run and pulls the limit inside; `nil` leaves a bound as it is.
    public mutating func configure(minimum: Int? = nil, maximum: Int? = nil) {
        settings = Settings(
            minimum: minimum ?? settings.minimum,
            maximum: maximum ?? settings.maximum,
            targetLatency: settings.targetLatency,
            longestLatency: settings.longestLatency
        )
        move(to: limit)
    }

    private static func sum(of latency: Duration) -> Int64 { min(latency.nanoseconds, 1 << 60) * Int64(considered) }

    private mutating func move(to size: Int) {
        limit = min(max(size, settings.minimum), settings.maximum)
    }
}
