/// A fact that outlives the coordinator's memory; tokens travel beside the records, by columns.
///
/// Replaying the records and the tokens of a journal in their order rebuilds every promise; replaying a part of them twice
/// changes nothing. Records are passed on often and looked at rarely, so what they carry is held by reference.
public enum JournalRecord: Hashable, Sendable {
    /// A job was accepted, with all of its streams.
    indirect case accepted(AcceptedRecord)

    /// An attempt is about to be dispatched; on disk before the worker hears of it.
    indirect case leased(LeaseRecord)

    /// A stream ended, once and for ever.
    indirect case ended(StreamID, StreamEnd, at: Timestamp)

    /// A job's retention is over: the tokens and records of this stream of it may go; the job's other streams have a record
    /// each in the same batch.
    case forgotten(StreamID)
}

/// What was promised at acceptance.
public struct AcceptedRecord: Hashable, Sendable {
    /// The job's name.
    public var job: JobID

    /// The first of the job's streams: `request.choices` streams with consecutive numbers, one a choice.
    public var stream: StreamID

    /// The client's idempotency key.
    public var key: String

    /// The name of the client that submitted it; its share of the workers is charged with the job.
    public var client: String

    /// The job's request, its seed and its deadline set; `GenerationRequest.choice` gives that of a stream.
    public var request: GenerationRequest

    /// Whether the coordinator chose the seed, so that a repeated submit without a seed is the same request.
    public var choseSeed: Bool

    /// When it was accepted, on the clock that all of the journal's moments are on.
    public var acceptedAt: Timestamp

    /// The numbers of the job's streams, in the order of the choices.
    public var streams: Range<UInt64> {
        stream.rawValue..<stream.rawValue + UInt64(clamping: max(1, request.choices))
    }

    /// Describes an acceptance.
    public init(
        job: JobID,
        stream: StreamID,
        key: String,
        client: String,
        request: GenerationRequest,
        choseSeed: Bool,
        acceptedAt: Timestamp
    ) {
        self.job = job
        self.stream = stream
        self.key = key
        self.client = client
        self.request = request
        self.choseSeed = choseSeed
        self.acceptedAt = acceptedAt
    }
}

/// An attempt of a stream, as it was decided.
public struct LeaseRecord: Hashable, Sendable {
    /// The stream.
    public var stream: StreamID

    /// The attempt's number.
    public var epoch: Epoch

    /// The worker that runs it.
    public var worker: WorkerName

    /// The model that the stream is bound to from now on.
    public var model: ModelName

    /// What the worker computes with.
    public var fingerprint: Fingerprint

    /// What the worker proved of itself.
    public var exactness: ExactnessClass

    /// The worker's context.
    public var contextTokens: Int

    /// Attempts in a row that were lost before this one at about the same index.
    public var losses: Int

    /// Attempts that were lost before this one, wherever.
    public var lost: Int

    /// Whether it runs beside the present attempt, which is slow, until one of the two brings the next token.
    public var isHedge: Bool

    /// When it was decided, on the clock that all of the journal's moments are on.
    public var leasedAt: Timestamp

    /// Describes an attempt.
    public init(
        stream: StreamID,
        epoch: Epoch,
        worker: WorkerName,
        model: ModelName,
        fingerprint: Fingerprint,
        exactness: ExactnessClass,
        contextTokens: Int,
        losses: Int,
        lost: Int = 0,
        isHedge: Bool,
        leasedAt: Timestamp
    ) {
        self.stream = stream
        self.epoch = epoch
        self.worker = worker
        self.model = model
        self.fingerprint = fingerprint
        self.exactness = exactness
        self.contextTokens = contextTokens
        self.losses = losses
        self.lost = lost
        self.isHedge = isHedge
        self.leasedAt = leasedAt
    }
}
