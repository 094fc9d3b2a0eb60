public import ApusCore
public import ApusModel

/// What an engine step brought: tokens of all streams that moved, ends, and what it cost.
public struct StepResult: Sendable {
    /// Time between two tokens of a stream, for several streams at once.
    public struct Interval: Hashable, Sendable {
        /// The time.
        public var duration: Duration

        /// The number of streams.
        public var count: Int
    }

    /// The tokens, where they were taken with the step; every row has an epoch.
    public var tokens = TokenColumns()

    /// Attempts that ended.
    public var ends: [AttemptEnd] = []

    /// Time of the whole step.
    public var stepTime: Duration = .zero

    /// Rows of the batched pass.
    public var batchSize = 0

    /// For each prefill that was completed: the time from its first chunk to its token.
    public var prefillTimes: [Duration] = []

    /// The times between tokens, by groups of streams that moved alike.
    public var intervals: [Interval] = []

    /// An empty result.
    public init() {}

    /// Empties the result and keeps its memory.
    public mutating func removeAll() {
        tokens.removeAll()
        ends.removeAll(keepingCapacity: true)
        stepTime = .zero
        batchSize = 0
        prefillTimes.removeAll(keepingCapacity: true)
        intervals.removeAll(keepingCapacity: true)
    }
}
