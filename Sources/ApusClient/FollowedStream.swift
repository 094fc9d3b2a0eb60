import ApusModel
import ApusProtocol

/// A stream that the client follows, or asks to follow.
struct FollowedStream<Follower: Sendable>: Sendable {
    /// What the client has asked for and the coordinator not yet answered.
    enum Asked: Hashable, Sendable {
        /// The Submit with this key and request.
        case submit(key: String, Apus_V1_Request)
        /// The Attach that opens the stream, from its next index on.
        case attach
        /// An Attach of a stream that was open, after a lost connection or a gap.
        case reattach
        /// Nothing: the stream is open.
        case nothing
    }

    /// The number under which all messages ask for this stream.
    let request: UInt64

    /// Whether this client submitted the job, and so cancels it when its consumer goes.
    let isOwner: Bool

    /// Tokens that the stream may run ahead of its consumer.
    let window: UInt64

    /// Who consumes the stream; `nil` once the consumer went before the answer came.
    var follower: Follower?

    /// What is unanswered.
    var asked: Asked

    /// The job; for a submit, known once it is accepted.
    var job: JobID?

    /// The coordinator's number of the stream on the present connection.
    var stream: UInt64?

    /// The index of the next token.
    var next: UInt64

    /// The index up to which the consumer has consumed.
    var consumed: UInt64

    /// The index up to which tokens are granted.
    var limit: UInt64

    /// When the unanswered message counts as lost.
    var deadline: Timestamp?

    /// Whether a gap has been answered by an Attach and no token has come since.
    var isResynchronised = false

    /// Whether the stream stands in the list of those whose credit is to be raised.
    var isCreditDue = false

    /// Whether the follower knows its job.
    var isAccepted: Bool {
        switch asked {
        case .submit, .attach: false
        case .reattach, .nothing: true
        }
    }

    /// The message that asks for what is unanswered; `nil` where nothing is.
    func envelope() -> Apus_V1_Envelope? {
        switch asked {
        case .submit(let key, let generation):
            var message = Apus_V1_Submit()
            message.request = request
            message.key = key
            message.generation = generation
            message.credit = limit
            return Apus_V1_Envelope(.submit(message))
        case .attach, .reattach:
            var message = Apus_V1_Attach()
            message.request = request
            message.job = job?.description ?? ""
            message.fromIndex = next
            message.credit = limit
            return Apus_V1_Envelope(.attach(message))
        case .nothing:
            return nil
        }
    }
}
