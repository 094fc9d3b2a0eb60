public import ApusModel

/// The coordinator's record of everything that it promised: what is accepted, leased, released and ended.
///
/// The coordinator tells it everything; the journal keeps of a job what its `Durability` asks for. One batch a turn is committed
/// before anything of the turn can be seen. Tokens are read back for clients that are behind and for workers that continue a
/// stream; jobs that ended are found again after the coordinator has dropped them from its memory.
///
/// Moments are on the process's own monotonic clock on both sides of this protocol; an implementation that outlives the process
/// translates them, and gives back none that is later than now.
///
/// Isolation: owned by one coordinator and used on its thread only; calls block it, so they are short.
/// Errors: `journalUnavailable` where the medium fails and may recover, so that the same call is worth another try;
/// `internalFailure` where the caller or what is kept is wrong.
public protocol Journal: AnyObject {
    /// What `status` calls this kind of journal.
    var kind: String { get }

    /// What it holds and costs, as of the last commit.
    var figures: JournalFigures { get }

    /// Whether jobs outlive the coordinator's memory of them, so that it may drop what has ended and `find` it again.
    var keepsEnded: Bool { get }

    /// Tells all that a former life promised and has not ended; called once, before anything else.
    ///
    /// - Parameter tell: Receives records and tokens: acceptances by rising stream numbers, and each stream's facts in the order in
    ///   which they were committed, tokens between the leases as they came. Of tokens only rows, epochs and counts matter: their
    ///   content is left out. A job of which some streams ended is told whole.
    /// - Returns: The highest stream number that a former life may have used; 0 where there was none.
    /// - Throws: `internalFailure` with the place, where something that was committed is damaged.
    func recover(_ tell: (JournalFact) -> Void) throws(ApusError) -> UInt64

    /// Makes a batch durable, whole or not at all.
    ///
    /// - Parameter batch: Tokens first, then records; a stream's tokens follow those already committed without a gap.
    /// - Throws: See the protocol's errors.
    func commit(_ batch: JournalBatch) throws(ApusError)

    /// Reads tokens of a stream.
    ///
    /// - Parameters:
    ///   - stream: A stream that is accepted and not forgotten.
    ///   - range: Indexes below the number of committed tokens.
    ///   - columns: Receives the tokens as one row or several at its end; unchanged where it throws.
    /// - Throws: See the protocol's errors.
    func read(_ stream: StreamID, _ range: Range<Int>, into columns: inout TokenColumns) throws(ApusError)

    /// Reads the vocabulary numbers of a stream's tokens from index 0.
    ///
    /// - Parameters:
    ///   - stream: A stream that is accepted and not forgotten.
    ///   - count: How many; at most the number of committed tokens.
    /// - Returns: `count` numbers.
    /// - Throws: See the protocol's errors.
    func history(of stream: StreamID, count: Int) throws(ApusError) -> [Int32]

    /// Finds a job, running or ended, that is not forgotten.
    ///
    /// - Parameter name: Its name or its key; of several jobs with a key the newest.
    /// - Returns: The job, with its whole request unless all of its streams ended well; `nil` where there is none.
    /// - Throws: See the protocol's errors.
    func find(_ name: JobReference) throws(ApusError) -> KeptJob?

    /// Streams of ended jobs whose retention is over, by age or for lack of room, oldest first and jobs whole.
    ///
    /// - Parameters:
    ///   - now: The present moment.
    ///   - limit: About how many; the last job is whole.
    /// - Returns: Their numbers; none where nothing is to go.
    /// - Throws: See the protocol's errors.
    func expired(at now: Timestamp, limit: Int) throws(ApusError) -> [StreamID]

    /// Streams that failed or expired and are not forgotten, newest end first.
    ///
    /// - Parameter limit: How many at most.
    /// - Returns: The streams.
    /// - Throws: See the protocol's errors.
    func deadLetters(limit: Int) throws(ApusError) -> [DeadLetter]
}

/// What one turn of a coordinator makes durable.
public struct JournalBatch: Sendable {
    /// Released tokens with their epochs, in the order of their acceptance.
    public var tokens: [TokenColumns]

    /// Facts, in order; they come after the tokens.
    public var records: [JournalRecord]

    /// Describes a batch.
    public init(tokens: [TokenColumns], records: [JournalRecord]) {
        self.tokens = tokens
        self.records = records
    }

    /// Whether there is nothing to commit.
    public var isEmpty: Bool { tokens.isEmpty && records.isEmpty }
}

/// One thing that a journal remembers.
public enum JournalFact: Hashable, Sendable {
    /// Tokens that were released.
    case tokens(TokenColumns)
    /// What was promised, decided or ended.
    case record(JournalRecord)
}

/// How a job is asked for.
public enum JobReference: Hashable, Sendable {
    /// By its name.
    case job(JobID)
    /// By its idempotency key.
    case key(String)
}

/// A job as a journal keeps it.
public struct KeptJob: Hashable, Sendable {
    /// The acceptance; the request may lack its large parts where all streams ended well.
    public var accepted: AcceptedRecord

    /// Its streams, in the order of the choices.
    public var streams: [KeptStream]

    /// The digest of the request's large parts, by which a repeated submit is compared; `nil` where the request has them still.
    public var bulkDigest: UInt64?

    /// Describes a job.
    public init(accepted: AcceptedRecord, streams: [KeptStream], bulkDigest: UInt64? = nil) {
        self.accepted = accepted
        self.streams = streams
        self.bulkDigest = bulkDigest
    }

    /// Whether all of its streams ended.
    public var hasEnded: Bool { streams.allSatisfy { $0.end != nil } }
}

/// A stream of a kept job.
public struct KeptStream: Hashable, Sendable {
    /// Committed tokens.
    public var tokens: Int

    /// How it ended; `nil` where it has not.
    public var end: StreamEnd?

    /// When it ended; `zero` where it has not.
    public var endedAt: Timestamp

    /// The model that it was bound to; `nil` before its first attempt.
    public var model: ModelName?

    /// Describes a stream.
    public init(tokens: Int, end: StreamEnd? = nil, endedAt: Timestamp = .zero, model: ModelName? = nil) {
        self.tokens = tokens
        self.end = end
        self.endedAt = endedAt
        self.model = model
    }
}

/// A stream that failed or expired.
public struct DeadLetter: Hashable, Sendable {
    /// Its job.
    public var job: JobID

    /// Its number.
    public var stream: StreamID

    /// Which of the job's streams it is, from 0.
    public var choice: Int

    /// The job's key.
    public var key: String

    /// The client that submitted the job.
    public var client: String

    /// The model that it was for; `nil` where no worker ever took it and its request names none.
    public var model: ModelName?

    /// How it ended: its error says the cause, its attempts how often it was tried.
    public var end: StreamEnd

    /// When the job was accepted.
    public var acceptedAt: Timestamp

    /// Describes a dead letter.
    public init(
        job: JobID,
        stream: StreamID,
        choice: Int,
        key: String,
        client: String,
        model: ModelName?,
        end: StreamEnd,
        acceptedAt: Timestamp
    ) {
        self.job = job
        self.stream = stream
        self.choice = choice
        self.key = key
        self.client = client
        self.model = model
        self.end = end
        self.acceptedAt = acceptedAt
    }
}

/// What a journal holds and costs.
public struct JournalFigures: Hashable, Sendable {
    /// Bytes on disk, those of its log and of free room for reuse included; 0 for a journal without a disk.
    public var diskBytes: UInt64 = 0

    /// Of these, bytes in use.
    public var usedBytes: UInt64 = 0

    /// The most that may be in use; 0 where there is no disk.
    public var limitBytes: UInt64 = 0

    /// Bytes of tokens in memory.
    public var memoryBytes: UInt64 = 0

    /// Jobs that are kept, running or ended.
    public var jobs: UInt64 = 0

    /// Batches that were made durable.
    public var commits: UInt64 = 0

    /// Nothing.
    public init() {}
}
