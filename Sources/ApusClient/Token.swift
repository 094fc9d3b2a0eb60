public import ApusModel

/// One token of a stream.
public struct Token: Hashable, Sendable {
    /// The token's place in its stream, from 0; consecutive tokens have consecutive indexes.
    public var index: Int

    /// The token's number in the model's vocabulary.
    public var id: TokenID

    /// The text that this token completes; empty where its bytes come with a later token.
    public var text: String

    /// Describes a token.
    public init(index: Int, id: TokenID, text: String) {
        self.index = index
        self.id = id
        self.text = text
    }
}

/// What happens on a stream, in order: tokens, then exactly one end.
public enum StreamEvent: Hashable, Sendable {
    /// The next token.
    case token(Token)
    /// The stream's end; `reason` says whether it was a good one.
    case finished(StreamEnd)
}

/// What the callback form of `submit` and `attach` is called with, in order: batches, then exactly one other.
public enum StreamUpdate: Sendable {
    /// Tokens that came in one message.
    case batch(TokenBatch)
    // Indirect, so that a batch, of which there are thousands, is passed on without the room for an end.
    /// The stream's end; `reason` says whether it was a good one.
    indirect case finished(StreamEnd)
    /// The client could not follow the stream any longer; the job itself may go on.
    indirect case failed(ApusError)
}

/// What the coordinator accepted.
public struct AcceptedJob: Hashable, Sendable {
    /// The job's public name.
    public var job: JobID

    /// The seed of all draws, whether it was asked for or chosen by the coordinator.
    public var seed: UInt64

    /// Describes an accepted job.
    public init(job: JobID, seed: UInt64) {
        self.job = job
        self.seed = seed
    }
}
