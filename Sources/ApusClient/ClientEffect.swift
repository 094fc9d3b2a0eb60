import ApusModel
import ApusProtocol

/// What the client's machine wants done; the connection performs effects in order.
enum ClientEffect<Follower: Sendable, Caller: Sendable>: Sendable {
    /// Send a message on the present connection.
    case send(Apus_V1_Envelope)
    /// Forget messages that are not sent yet: their connection is gone, and all that matters is sent again.
    case discardUnsent
    /// Tell a follower that its job is accepted.
    case accept(Follower, AcceptedJob)
    /// Tell a follower its stream's end; it hears nothing afterwards.
    case finish(Follower, StreamEnd)
    /// Tell a follower that it can't be served; it hears nothing afterwards.
    case fail(Follower, ApusError)
    /// Answer a call.
    case answer(Caller, ClientReply)
    /// Refuse a call.
    case refuse(Caller, ApusError)
    /// Close the socket; nothing is left to do.
    case close
}

extension ClientEffect: Equatable where Follower: Equatable, Caller: Equatable {}

/// What a call other than a stream asks for.
enum ClientCall: Hashable, Sendable {
    /// The cluster's status.
    case status
    /// The newest jobs, or the dead ones, at most so many.
    case jobs(limit: Int, dead: Bool)
    /// Drain a worker; `nil` drains all of them.
    case drain(WorkerName?)
    /// Cancel a job.
    case cancel(JobID)
    /// Try a job again that failed.
    case retry(JobID)
    /// Change how a worker chooses its batches; `nil` means all of them.
    case configure(WorkerName?, WorkerSettings)

    /// The message that asks for it.
    func envelope(request: UInt64) -> Apus_V1_Envelope {
        switch self {
        case .status:
            var message = Apus_V1_StatusRequest()
            message.request = request
            return Apus_V1_Envelope(.statusRequest(message))
        case .jobs(let limit, let dead):
            var message = Apus_V1_JobsRequest()
            message.request = request
            message.limit = UInt32(clamping: limit)
            message.dead = dead
            return Apus_V1_Envelope(.jobsRequest(message))
        case .drain(let worker):
            var message = Apus_V1_Drain()
            message.request = request
            message.worker = worker?.text ?? ""
            return Apus_V1_Envelope(.drain(message))
        case .cancel(let job):
            var message = Apus_V1_Cancel()
            message.request = request
            message.job = job.description
            return Apus_V1_Envelope(.cancel(message))
        case .retry(let job):
            var message = Apus_V1_Retry()
            message.request = request
            message.job = job.description
            return Apus_V1_Envelope(.retry(message))
        case .configure(let worker, let settings):
            var message = Apus_V1_ConfigureWorkers()
            message.request = request
            message.worker = worker?.text ?? ""
            message.settings = Apus_V1_Configure(settings)
            return Apus_V1_Envelope(.configureWorkers(message))
        }
    }
}

/// A call's answer.
enum ClientReply: Hashable, Sendable {
    /// The cluster's status.
    case status(ClusterStatus)
    /// Jobs, newest first.
    case jobs([JobSummary])
    /// Done; with the new job where one was made.
    case done(JobID?)
}

/// A run of new tokens for one follower, as places in the message's columns.
struct TokenDelivery: Hashable, Sendable {
    /// The stream's place in the machine and in its `followers`.
    var slot: Int

    /// The index of the first token.
    var firstIndex: Int

    /// Where they stand in `ids` and `textLengths`.
    var tokens: Range<Int>

    /// Where they stand in `text`.
    var bytes: Range<Int>

    /// The index up to which the follower has consumed, for `delivered`; whoever delivers sets it.
    var consumed = 0
}

/// Tokens of a stream that did not come although later ones did.
struct TokenGap: Hashable, Sendable {
    /// The stream's place in the machine.
    var slot: Int

    /// The indexes that did not come.
    var missing: Range<UInt64>

    /// Whether the tokens were asked for before, and none has come since.
    var isSecond: Bool
}
