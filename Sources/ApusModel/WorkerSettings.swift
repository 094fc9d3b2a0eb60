/// How a worker chooses its batches, as an operator sets it while the worker runs; `nil` leaves a value as it is.
public struct WorkerSettings: Hashable, Sendable {
    /// The longest target for the time between tokens.
    public static let longestInterTokenTarget: Duration = .seconds(60)

    /// The least streams that share a step where so many are there.
    public var batchMinimum: Int?

    /// The most streams that share a step.
    public var batchMaximum: Int?

    /// How the batch is chosen between the two.
    public var policy: BatchPolicy?

    /// The time between tokens that is to be kept.
    public var interTokenTarget: Duration?

    /// How reliable the network is, from 0, nothing arrives, to 1, perfect.
    public var networkStability: Double?

    /// Describes settings.
    public init(
        batchMinimum: Int? = nil,
        batchMaximum: Int? = nil,
        policy: BatchPolicy? = nil,
        interTokenTarget: Duration? = nil,
        networkStability: Double? = nil
    ) {
        self.batchMinimum = batchMinimum
        self.batchMaximum = batchMaximum
        self.policy = policy
        self.interTokenTarget = interTokenTarget
        self.networkStability = networkStability
    }

    /// These settings with all that others say in their place.
    public func changed(by other: WorkerSettings) -> WorkerSettings {
        WorkerSettings(
            batchMinimum: other.batchMinimum ?? batchMinimum,
            batchMaximum: other.batchMaximum ?? batchMaximum,
            policy: other.policy ?? policy,
            interTokenTarget: other.interTokenTarget ?? interTokenTarget,
            networkStability: other.networkStability ?? networkStability
        )
    }

    /// Checks every value against its range, and the bounds of the batch against each other.
    ///
    /// - Throws: `invalidRequest` with a message that names the first bad value.
    public func validate() throws(ApusError) {
        func check(_ holds: Bool, _ message: @autoclosure () -> String) throws(ApusError) {
            if !holds { throw ApusError(.invalidRequest, message()) }
        }
        for (name, value) in [("batch_minimum", batchMinimum), ("batch_maximum", batchMaximum)] {
            guard let value else { continue }
            try check(
                (1...Limits.slots).contains(value),
                "\(name) is \(value); it must be between 1 and \(Limits.slots)"
            )
        }
        if let batchMinimum, let batchMaximum {
            try check(
                batchMinimum <= batchMaximum,
                "batch_minimum is \(batchMinimum); it must be at most batch_maximum, which is \(batchMaximum)"
            )
        }
        if let interTokenTarget {
            try check(
                interTokenTarget >= .milliseconds(1) && interTokenTarget <= Self.longestInterTokenTarget,
                "the inter-token target is \(interTokenTarget); it must be between 1 ms and \(Self.longestInterTokenTarget)"
            )
        }
        if let networkStability {
            // A NaN is in no range.
            try check(
                (0...1).contains(networkStability),
                "network_stability is \(networkStability); it must be between 0 and 1"
            )
        }
    }
}
