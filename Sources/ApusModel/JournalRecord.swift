/// A fact that outlives the coordinator's memory; tokens travel beside the records, by columns.
public enum JournalRecord: Hashable, Sendable {
    /// A job was accepted, with its one stream.
    case accepted(AcceptedRecord)

    /// An attempt is about to be dispatched; on disk before the worker hears of it.
    case leased(StreamID, Epoch, WorkerName)

    /// A stream ended, once and for ever.
    case ended(StreamID, StreamEnd)

    /// A stream's retention is over: its tokens and records may go.
    case forgotten(StreamID)
}

/// What was promised at acceptance.
public struct AcceptedRecord: Hashable, Sendable {
    /// The job's name.
    public var job: JobID

    /// The job's stream.
    public var stream: StreamID

    /// The client's idempotency key.
    public var key: String

    /// The request, its seed and its deadline set.
    public var request: GenerationRequest

    /// Whether the coordinator chose the seed, so that a repeated submit without a seed is the same request.
    public var choseSeed: Bool

    /// Describes an acceptance.
    public init(job: JobID, stream: StreamID, key: String, request: GenerationRequest, choseSeed: Bool) {
        self.job = job
        self.stream = stream
        self.key = key
        self.request = request
        self.choseSeed = choseSeed
    }
}
