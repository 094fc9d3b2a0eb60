public import ApusCore
public import ApusModel

/// What an engine step, one forward pass, brought: tokens of all streams that moved, ends, and what it cost.
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

    /// Where the time to the first token went, for each attempt that got its first one.
    public var firstTokens: [FirstToken] = []

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
        firstTokens.removeAll(keepingCapacity: true)
    }
}

/// Where the time until an attempt's first token went.
public struct FirstToken: Hashable, Sendable {
    /// The attempt's stream.
    public var stream: StreamID

    /// The attempt's number.
    public var epoch: Epoch

    /// The time, by stages.
    public var stages: FirstTokenStages

    /// Describes a first token.
    public init(stream: StreamID, epoch: Epoch, stages: FirstTokenStages) {
        self.stream = stream
        self.epoch = epoch
        self.stages = stages
    }
}
