/// A coordinator's journal: what it holds and costs, and whether it can be written.
public struct JournalStatus: Hashable, Sendable, Codable {
    /// Why it can't be written; empty where it can.
    ///
    /// Until it can again no job is accepted, and streams stand still.
    public var failure: String = ""

    /// Since when it can't be written.
    public var failingMilliseconds: Int = 0

    /// Bytes on disk, those of its log and of free room for reuse included.
    public var diskBytes: Int = 0

    /// Of these, bytes in use.
    public var usedBytes: Int = 0

    /// Past so many used bytes the oldest ended jobs are forgotten; 0 where there is no disk.
    public var limitBytes: Int = 0

    /// Bytes of tokens in the coordinator's memory.
    public var memoryBytes: Int = 0

    /// Jobs that it keeps, running or ended.
    public var jobs: Int = 0

    /// Batches that were made durable since the coordinator started.
    public var commits: Int = 0

    /// How long a commit took.
    public var commit: Quantiles = Quantiles()

    /// An empty journal.
    public init() {}

    private enum CodingKeys: String, CodingKey {
        case failure
        case failingMilliseconds = "failing_ms"
        case diskBytes = "disk_bytes"
        case usedBytes = "used_bytes"
        case limitBytes = "limit_bytes"
        case memoryBytes = "memory_bytes"
        case jobs
        case commits
        case commit = "commit_ms"
    }
}
