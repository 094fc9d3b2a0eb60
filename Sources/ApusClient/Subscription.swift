public import ApusModel

/// A stream that a callback receives.
public struct Subscription: Sendable {
    /// The job's public name.
    public let job: JobID

    /// The seed of the stream's draws, whether it was asked for or chosen by the coordinator.
    public let seed: UInt64

    /// Which of the job's streams it is, from 0.
    public let choice: Int

    private let request: UInt64
    private let inbox: ClientInbox

    /// Shows an accepted stream.
    init(_ accepted: AcceptedJob, request: UInt64, inbox: ClientInbox) {
        job = accepted.job
        seed = accepted.seed
        choice = accepted.choice
        self.request = request
        self.inbox = inbox
    }

    /// Leaves the stream to itself: the callback is not called any more soon, and the job goes on without this client.
    public func detach() {
        inbox.push(.detach(request: request))
    }

    /// Gives the stream up: the callback is not called any more soon; a job that this client submitted is cancelled with the last
    /// of its streams, unless one of them was detached.
    public func cancel() {
        inbox.push(.abandon(request: request))
    }
}
