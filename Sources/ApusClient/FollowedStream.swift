import ApusModel
import ApusProtocol

/// A stream that the client follows, or asks to follow; how far it has come is in its `StreamFlow`.
struct FollowedStream: Sendable {
    /// What the client has asked for and the coordinator not yet answered.
    enum Asked: Hashable, Sendable {
        /// The Submit with this key and request; asked for by the stream of a job's first choice.
        case submit(key: String, Apus_V1_Request)
        /// The Submit that the stream of the job's first choice has asked for.
        case sharedSubmit
        /// The Attach that opens the stream, from its next index on.
        case attach(AttachTarget)
        /// An Attach of a stream that was open, after a lost connection or a gap.
        case reattach
        /// Nothing: the stream is open.
        case nothing
    }

    /// The number under which all messages ask for this stream.
    let request: UInt64

    /// Which of the job's streams it is, from 0.
    let choice: Int

    /// How many streams were submitted together, in requests with consecutive numbers; 1 for an attachment.
    let group: Int

    /// Whether this client submitted the job, and so cancels it when its last consumer goes.
    var isOwner: Bool

    /// What is unanswered.
    var asked: Asked

    /// The job; for a submit, known once it is accepted.
    var job: JobID?

    /// When the unanswered message counts as lost.
    var deadline: Timestamp?

    /// Whether the follower knows its job.
    var isAccepted: Bool {
        switch asked {
        case .submit, .sharedSubmit, .attach: false
        case .reattach, .nothing: true
        }
    }

    /// The requests of the streams that were submitted together, in the order of their choices.
    var groupRequests: Range<UInt64> {
        group == 1 ? request..<request + 1 : request - UInt64(choice)..<request - UInt64(choice) + UInt64(group)
    }

    /// The message that asks for what is unanswered, for a stream that has come so far; `nil` where nothing is.
    func envelope(_ flow: StreamFlow) -> Apus_V1_Envelope? {
        switch asked {
        case .submit(let key, let generation):
            var message = Apus_V1_Submit()
            message.request = request
            message.key = key
            message.generation = generation
            message.credit = flow.limit
            return Apus_V1_Envelope(.submit(message))
        case .attach(let target):
            return attachment(flow, to: target)
        case .reattach:
            return job.flatMap { attachment(flow, to: .job($0)) }
        case .sharedSubmit, .nothing:
            return nil
        }
    }

    private func attachment(_ flow: StreamFlow, to target: AttachTarget) -> Apus_V1_Envelope {
        var message = Apus_V1_Attach()
        message.request = request
        switch target {
        case .job(let job): message.job = job.description
        case .key(let key): message.key = key
        }
        message.fromIndex = flow.next
        message.credit = flow.limit
        message.choice = UInt32(clamping: choice)
        return Apus_V1_Envelope(.attach(message))
    }
}
