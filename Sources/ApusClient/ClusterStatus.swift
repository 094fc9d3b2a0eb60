/// A coordinator's view of its cluster at one moment.
///
/// Its JSON form (`Codable`) is stable: names in snake case, units last, times in milliseconds with fractions.
public struct ClusterStatus: Hashable, Sendable, Codable {
    /// This coordinator's life: another text after a restart.
    public var coordinator: String = ""

    /// The coordinator's version.
    public var version: String = ""

    /// The coordinator's process.
    public var pid: Int = 0

    /// How long the coordinator has run.
    public var uptimeMilliseconds: Int = 0

    /// The workers that the coordinator knows, by name.
    public var workers: [WorkerStatus] = []

    /// Streams by state, since the coordinator started.
    public var streams: StreamCounts = StreamCounts()

    /// Streams that were continued on another worker.
    public var failovers: Int = 0

    /// Second attempts that were started beside a slow one.
    public var hedges: Int = 0

    /// Tokens released to clients.
    public var tokens: Int = 0

    /// The cluster's present throughput.
    public var tokensPerSecond: Double = 0

    /// From acceptance to the first token.
    public var firstToken: Quantiles = Quantiles()

    /// Between two tokens of a stream.
    public var interToken: Quantiles = Quantiles()

    /// From acceptance to the first dispatch.
    public var queueWait: Quantiles = Quantiles()

    /// Connected clients.
    public var clients: Int = 0

    /// Submits that were refused.
    public var rejected: Int = 0

    /// Messages that could not be decoded, or that the protocol does not allow.
    public var malformed: Int = 0

    /// Rows of fenced attempts that were dropped.
    public var stale: Int = 0

    /// The coordinator's resident memory.
    public var memoryBytes: Int = 0

    /// Processor time that the coordinator has used.
    public var processorMilliseconds: Double = 0

    /// The kind of journal, `memory` for one that does not survive the coordinator.
    public var journal: String = ""

    /// What the journal holds and costs, and whether it can be written.
    public var journalStatus: JournalStatus = JournalStatus()

    /// An empty cluster.
    public init() {}

    private enum CodingKeys: String, CodingKey {
        case coordinator
        case version
        case pid
        case uptimeMilliseconds = "uptime_ms"
        case workers
        case streams
        case failovers
        case hedges
        case tokens
        case tokensPerSecond = "tokens_per_second"
        case firstToken = "ttft_ms"
        case interToken = "inter_token_ms"
        case queueWait = "queue_wait_ms"
        case clients
        case rejected
        case malformed
        case stale
        case memoryBytes = "memory_bytes"
        case processorMilliseconds = "cpu_ms"
        case journal
        case journalStatus = "journal_status"
    }
}

/// How many streams are in which state.
public struct StreamCounts: Hashable, Sendable, Codable {
    /// Streams that a worker runs now.
    public var active: Int = 0

    /// Accepted streams that wait for a worker now.
    public var queued: Int = 0

    /// Streams that ended as their requests say.
    public var completed: Int = 0

    /// Streams that failed or expired.
    public var failed: Int = 0

    /// Streams that a client cancelled.
    public var cancelled: Int = 0

    /// No stream.
    public init() {}
}

/// A distribution of times, in milliseconds.
public struct Quantiles: Hashable, Sendable, Codable {
    /// The number of observations; without any the times are 0.
    public var count: Int = 0

    /// The median.
    public var p50: Double = 0

    /// 95 % of the observations are at most this.
    public var p95: Double = 0

    /// 99 % of the observations are at most this.
    public var p99: Double = 0

    /// The longest.
    public var max: Double = 0

    /// No observation.
    public init() {}
}
