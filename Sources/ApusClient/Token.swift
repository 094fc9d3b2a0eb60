public import ApusModel
import ApusProtocol

/// One token of a stream.
public struct Token: Hashable, Sendable {
    /// The token's place in its stream, from 0; consecutive tokens have consecutive indexes.
    public var index: Int

    /// The token's number in the model's vocabulary.
    public var id: TokenID

    /// The text that this token completes; empty where its bytes come with a later token.
    public var text: String

    /// The details as they came; empty without any.
    private var encodedDetail: ArraySlice<UInt8>

    /// Describes a token.
    public init(index: Int, id: TokenID, text: String, detail: TokenDetail? = nil) {
        var encoded: [UInt8] = []
        detail?.encode(into: &encoded)
        self.init(index: index, id: id, text: text, encodedDetail: encoded[...])
    }

    /// Describes a token that came.
    init(index: Int, id: TokenID, text: String, encodedDetail: ArraySlice<UInt8>) {
        self.index = index
        self.id = id
        self.text = text
        self.encodedDetail = encodedDetail
    }

    /// Its log probability and alternatives; `nil` where the job asked for none.
    ///
    /// Read from what came at each access.
    public var detail: TokenDetail? { encodedDetail.isEmpty ? nil : TokenDetail(encoded: encodedDetail) }

    /// The natural logarithm of its probability under the model, before any filter; `nil` where the job asked for none.
    public var logprob: Float? { detail?.logprob }
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

/// What the coordinator accepted: one stream of a job.
public struct AcceptedJob: Hashable, Sendable {
    /// The job's public name.
    public var job: JobID

    /// The seed of the stream's draws; that of a job's first stream was asked for or chosen by the coordinator, and the others
    /// follow from it.
    public var seed: UInt64

    /// Which of the job's streams it is, from 0.
    public var choice: Int

    /// How many streams the job has.
    public var choices: Int

    /// Describes an accepted job.
    public init(job: JobID, seed: UInt64, choice: Int = 0, choices: Int = 1) {
        self.job = job
        self.seed = seed
        self.choice = choice
        self.choices = choices
    }
}
