public import ApusModel

/// Chooses how many streams share an engine step, from what the steps before it cost.
///
/// The accelerator's memory gives the first size, then the policy decides, always within the bounds:
///
/// - `cost`: learns the time of a step by its rows and their context (`StepCostModel`) and takes the largest batch
///   whose expected step keeps the inter-token target. It grows as far as the model sees room, but at most to twice the
///   largest batch that has run. Memory pressure and an unstable network halve the batch; once they are over it comes
///   back by one every few steps.
/// - `aimd`: the rules of the adaptive batch controller in the requirements. From the third batch on, the mean of the
///   last three moves the limit by one; an unstable network or memory pressure halves it.
///
/// Both policies learn from every step, so a change of policy needs no time to settle. A pure value: the pipeline feeds
/// it facts.
public struct BatchController: Sendable {
    /// The controller's constants for one model.
    public struct Settings: Hashable, Sendable {
        /// The smallest batch, 1 or more.
        public var minimum: Int

        /// The largest batch, at least `minimum`.
        public var maximum: Int

        /// The time between two tokens to keep; `aimd`: below this mean latency there is room for one stream more.
        public var targetLatency: Duration

        /// `aimd` alone: above this mean latency of a batch one stream less is tried.
        public var longestLatency: Duration

        /// How the batch is chosen.
        public var policy: BatchPolicy

        /// Takes bounds and latencies; bounds that cross or fall below 1 are pulled to the nearest that make sense.
        public init(
            minimum: Int = 1,
            maximum: Int = 16,
            targetLatency: Duration = .milliseconds(100),
            longestLatency: Duration = .milliseconds(200),
            policy: BatchPolicy = .cost
        ) {
            self.minimum = max(1, minimum)
            self.maximum = max(self.minimum, maximum)
            self.targetLatency = max(.microseconds(1), targetLatency)
            self.longestLatency = max(self.targetLatency, longestLatency)
            self.policy = policy
        }
    }

    /// A network steadier than this leaves the batch alone; 1 is perfect.
    private static let steadyNetwork = 0.7

    /// A job's own target counts down to this part of the worker's.
    private static let widestWish = 4

    /// The part of the target that a larger batch may use, so that a limit once reached isn't left again at once.
    private static let growth = 0.96

    /// The part of the target past which the batch shrinks.
    private static let shrinkage = 1.01

    /// The weight of a step in the usual prefill, and the part of the target that prefill may take from the rows.
    private static let prefillSmoothing = 1.0 / 32
    private static let prefillShare = 0.5

    /// The constants in force.
    public private(set) var settings: Settings

    /// The number of streams that may share a step now, within the settings' bounds.
    public private(set) var limit: Int

    private var rule: AdditiveRule
    private var model = StepCostModel()
    private var memoryCap = BatchCap()
    private var networkCap = BatchCap()
    private let first: Int
    /// What `cost` would take without the caps.
    private var wanted: Int
    private var tightestTarget: Duration?
    /// The mean context of a row, in tokens, and a step's tokens of prefill, smoothed.
    private var contextPerRow = 0.0
    private var prefillPerStep = 0.0

    /// Starts with the size that fits the accelerator's memory: over 8,000 MB up to 8, over 4,000 MB up to 4, else the
    /// minimum; `cost` with more where the time of a pass is known and so many rows, each at the cost of the first, keep the
    /// target.
    ///
    /// - Parameters:
    ///   - settings: The model's bounds and latencies.
    ///   - acceleratorMemoryMB: Memory of the accelerator in MB; 0 for a processor.
    ///   - stepTime: The time of a pass of one row, where the engine has measured it.
    public init(settings: Settings = Settings(), acceleratorMemoryMB: Int = 0, stepTime: Duration? = nil) {
        self.settings = settings
        rule = AdditiveRule(target: settings.targetLatency, longest: settings.longestLatency)
        let size =
            switch acceleratorMemoryMB {
            case 8_001...: min(8, settings.maximum)
            case 4_001...: min(4, settings.maximum)
            default: settings.minimum
            }
        var known = 0
        if settings.policy == .cost, let stepTime, stepTime > .zero {
            known = Int(min(settings.targetLatency.milliseconds / stepTime.milliseconds, Double(settings.maximum)))
        }
        first = max(settings.minimum, size, known)
        limit = first
        wanted = first
    }

    // MARK: Decisions

    /// Chooses the batch of the next step.
    ///
    /// - Parameter tightestTarget: The shortest inter-token target of the jobs that run, where one has its own; it is
    ///   kept where it is shorter than the settings'. `aimd` doesn't look at it.
    /// - Returns: The new `limit`.
    public mutating func decide(tightestTarget: Duration? = nil) -> Int {
        self.tightestTarget = tightestTarget
        if settings.policy == .cost { takeAffordable() }
        return limit
    }

    /// The time that a step is likely to take; `nil` before the first was measured.
    ///
    /// - Parameters:
    ///   - rows: Rows of its batched pass.
    ///   - contextTokens: The sum of the rows' contexts.
    ///   - prefillTokens: Tokens of chunks in the same step.
    /// - Returns: The expected time, under either policy.
    public func expectedTime(rows: Int, contextTokens: Int, prefillTokens: Int = 0) -> Duration? {
        model.milliseconds(rows: rows, contextTokens: contextTokens, prefillTokens: prefillTokens)
            .map { .nanoseconds(Int64(min($0, 1e9) * 1e6)) }
    }

    // MARK: Facts

    /// Takes the cost of a step.
    ///
    /// The time between two tokens is that of a whole step, so `latency` is best the step's with the chunks of prompts
    /// that ran in it: `cost` learns what they take, and leaves room for as much of it as was usual lately. A caller
    /// that can't name the chunks gives the batched pass alone.
    ///
    /// - Parameters:
    ///   - rows: Rows of the batched pass.
    ///   - contextTokens: The sum of the rows' contexts.
    ///   - prefillTokens: Tokens of the chunks whose time is part of `latency`.
    ///   - latency: The time.
    public mutating func stepMeasured(rows: Int, contextTokens: Int, prefillTokens: Int = 0, latency: Duration) {
        model.stepMeasured(
            rows: rows,
            contextTokens: contextTokens,
            prefillTokens: prefillTokens,
            latency: latency
        )
        if rows > 0 {
            let context = Double(max(0, contextTokens)) / Double(rows)
            contextPerRow = model.observations == 1 ? context : contextPerRow + (context - contextPerRow) / 4
        }
        prefillPerStep += (Double(min(max(0, prefillTokens), 1 << 20)) - prefillPerStep) * Self.prefillSmoothing
        memoryCap.stepMeasured(maximum: settings.maximum)
        networkCap.stepMeasured(maximum: settings.maximum)
        let change = rule.batchMeasured(rows: rows, latency: latency)
        switch settings.policy {
        case .cost: takeAffordable()
        case .aimd: move(to: limit + change)
        }
    }

    /// Halves the limit when the network is unsteady; `cost` lets it come back once it is steady again.
    ///
    /// - Parameter stability: From 0, nothing arrives, to 1, perfect.
    public mutating func networkMeasured(stability: Double) {
        guard stability < Self.steadyNetwork else { return networkCap.ease() }
        networkCap.halve(from: limit, minimum: settings.minimum)
        move(to: limit / 2)
    }

    /// Halves the limit because memory runs short.
    ///
    /// - Returns: Whether the limit changed; `false` says that it was at its minimum already.
    public mutating func memoryPressureNoticed() -> Bool {
        let before = limit
        memoryCap.halve(from: limit, minimum: settings.minimum)
        move(to: limit / 2)
        return limit != before
    }

    /// Lets the limit come back because memory suffices again; `aimd` comes back by its own rule.
    public mutating func memoryPressureEased() { memoryCap.ease() }

    /// Takes new constants while streams run and pulls the limit inside the bounds; `nil` leaves one as it is.
    ///
    /// - Parameters:
    ///   - minimum: The smallest batch.
    ///   - maximum: The largest batch.
    ///   - policy: How the batch is chosen.
    ///   - target: The time between tokens to keep; the longest latency of `aimd` becomes twice as much.
    public mutating func configure(
        minimum: Int? = nil,
        maximum: Int? = nil,
        policy: BatchPolicy? = nil,
        target: Duration? = nil
    ) {
        let target = target.map { max(.microseconds(1), $0) }
        settings = Settings(
            minimum: minimum ?? settings.minimum,
            maximum: maximum ?? settings.maximum,
            targetLatency: target ?? settings.targetLatency,
            longestLatency: target.map { $0 * 2 } ?? settings.longestLatency,
            policy: policy ?? settings.policy
        )
        rule.configure(target: settings.targetLatency, longest: settings.longestLatency)
        move(to: limit)
    }

    // MARK: -

    /// Moves to the largest batch that keeps the target, where the present one doesn't or a larger one would.
    private mutating func takeAffordable() {
        guard model.observations > 0 else { return move(to: limit) }
        var target = settings.targetLatency
        // One job's wish may narrow the batch, not starve all others.
        if let tightestTarget { target = min(target, max(target / Self.widestWish, tightestTarget)) }
        // Most steps keep the target, not just the mean one: two mean deviations are reserved.
        let reserved = min(model.prefillMilliseconds(prefillPerStep), target.milliseconds * Self.prefillShare)
        let room = target.milliseconds / (1 + 2 * min(model.deviation, 0.25)) - reserved
        let affordable = model.rows(
            within: room * Self.growth,
            contextPerRow: contextPerRow,
            bound: settings.maximum
        )
        let tolerable = model.rows(
            within: room * Self.shrinkage,
            contextPerRow: contextPerRow,
            bound: settings.maximum
        )
        if wanted > tolerable {
            wanted = affordable
        } else if affordable > wanted {
            wanted = max(wanted, min(affordable, max(first, 2 * model.largestRows)))
        }
        wanted = min(max(wanted, settings.minimum), settings.maximum)
        move(to: min(wanted, memoryCap.limit ?? wanted, networkCap.limit ?? wanted))
    }

    private mutating func move(to size: Int) {
        limit = min(max(size, settings.minimum), settings.maximum)
    }
}
