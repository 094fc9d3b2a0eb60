public import ApusModel

/// One attempt of a stream, as the coordinator hands it to a worker.
public struct Assignment: Hashable, Sendable {
    /// The stream.
    public var stream: StreamID

    /// The attempt; a higher one replaces every lower one.
    public var epoch: Epoch

    /// What is asked for; its seed is set.
    public var request: GenerationRequest

    /// The stream's tokens 0, 1, … that exist already; generation goes on after them.
    public var history: [TokenID]

    /// Tokens may be generated up to, not including, this index.
    public var limit: Int

    /// Describes an attempt.
    public init(
        stream: StreamID,
        epoch: Epoch,
        request: GenerationRequest,
        history: [TokenID] = [],
        limit: Int
    ) {
        self.stream = stream
        self.epoch = epoch
        self.request = request
        self.history = history
        self.limit = limit
    }
}
