public import ApusModel
import GRDB

/// The durable journal: a SQLite database in a folder of its own.
///
/// Records are rows. Tokens of jobs that are `released` go into a log at once, one row a turn however many streams moved, and
/// stay in memory until they become a chunk, which holds a few hundred tokens of one stream; the log is cut behind them. Tokens of
/// jobs that are `accepted` become chunks when their stream ends. Jobs with the durability `none` are in memory only.
///
/// A commit is one transaction, on disk when it returns. Where it fails, memory is as before and the same batch may be committed
/// again; a rolled-back transaction may have left frames in SQLite's write-ahead log, so after a failure the log is first copied
/// into the database and emptied. A connection need not be opened anew for that: SQLite forgets the failed frames and writes
/// the pages of a retry again, so that pages which the system gave up after a failed sync are not taken for written.
public final class SQLiteJournal: Journal {
    let folder: JournalFolder
    let queue: DatabaseQueue
    let settings: JournalSettings
    let clock: JournalClock

    /// Jobs with the durability `none`.
    let volatile = MemoryJournal()
    var live = LiveStreams()
    var log = TokenLog()

    /// The highest stream number that is promised to be free for those that are not in the tables.
    var reservation: UInt64 = 0

    /// Whether a commit has failed and frames of it may be in the write-ahead log.
    ///
    /// So it may be after a former life as well: frames of a transaction that was under way when it died.
    var isSuspect = true

    /// What the present turn has changed; kept for its memory.
    var turn = JournalTurn()
    let logScratch = ByteScratch()
    let chunkScratch = ByteScratch()
    var columns = TokenColumns()

    /// Bytes of the tails of live streams.
    var tailBytes = 0
    var keptJobs = 0
    private(set) var figuresOnDisk = JournalFigures()
    var commits: UInt64 = 0

    /// Opens the journal of a folder, or makes it.
    ///
    /// - Parameters:
    ///   - path: The folder; made where it is missing, for its owner only.
    ///   - settings: What it may take and how long it keeps.
    ///   - clock: The clock that the coordinator's moments are on.
    /// - Throws: `nameTaken` where another process has it open; `unsupported` for one that a newer version wrote;
    ///   `internalFailure` with the place for a damaged one; `journalUnavailable` where the file system refuses.
    public init(
        folder path: String,
        settings: JournalSettings = JournalSettings(),
        clock: JournalClock = .system
    ) throws(ApusError) {
        folder = try JournalFolder(path)
        self.settings = settings
        self.clock = clock
        do {
            try folder.inspect()
            queue = try folder.open(folder.database, settings)
            try JournalSchema.migrate(queue)
            (reservation, keptJobs) = try queue.read { database in
                let reserved = try Int64.fetchOne(database, sql: "SELECT value FROM meta WHERE name = 'numbers'")
                return (UInt64(reserved ?? 0), try Int.fetchOne(database, sql: "SELECT count(*) FROM jobs") ?? 0)
            }
        } catch {
            throw ApusError(error)
        }
        refreshFigures()
    }

    deinit {
        // What is committed is on disk; closing only tidies up, and where that fails the next open does it.
        try? queue.close()
    }

    /// `sqlite`.
    public var kind: String { "sqlite" }

    /// All jobs outlive the coordinator's memory of them.
    public var keepsEnded: Bool { true }

    /// What it holds and costs; sizes on disk are those at the last look for what has expired, or a few hundred commits ago.
    public var figures: JournalFigures {
        var figures = figuresOnDisk
        let volatile = volatile.figures
        figures.memoryBytes = UInt64(tailBytes) + volatile.memoryBytes
        figures.jobs = UInt64(keptJobs) + volatile.jobs
        figures.commits = commits
        figures.limitBytes = settings.limitBytes
        return figures
    }

    /// Looks at the sizes on disk.
    func refreshFigures() {
        figuresOnDisk.diskBytes = JournalFolder.size(folder.database) + JournalFolder.size(folder.wal)
        // Figures that can't be had stay as they were: they are for people, and the next commit meets the same failure.
        if let used = try? queue.inDatabase(Self.usedBytes) { figuresOnDisk.usedBytes = used }
    }

    /// Bytes of the database's pages that are in use.
    static func usedBytes(_ database: Database) throws -> UInt64 {
        func pragma(_ name: String) throws -> UInt64 {
            UInt64(clamping: try Int64.fetchOne(database.cachedStatement(sql: "PRAGMA \(name)")) ?? 0)
        }
        let (pages, free) = (try pragma("page_count"), try pragma("freelist_count"))
        return (pages - min(free, pages)) * (try pragma("page_size"))
    }

    /// Does something with the database and says what went wrong in the words of the protocol.
    func access<Value>(_ body: (Database) throws -> Value) throws(ApusError) -> Value {
        do {
            return try queue.inDatabase(body)
        } catch {
            throw ApusError(error)
        }
    }
}
