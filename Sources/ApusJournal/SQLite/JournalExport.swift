import ApusModel
import GRDB

/// Gives out all that a journal holds.
public enum JournalExport {
    /// Visits every job of a journal that nobody has open, by the order of acceptance.
    ///
    /// - Parameters:
    ///   - path: The journal's folder.
    ///   - body: Receives one job after the other: only one is in memory.
    /// - Throws: What `body` throws; as `SQLiteJournal.init` and `recover`; `notFound` where there is no journal.
    public static func run(folder path: String, _ body: (ExportedJob) throws -> Void) throws {
        // Asks whether there is one, and lets go of the lock for the journal itself.
        _ = try JournalFolder(existing: path)
        let journal = try SQLiteJournal(folder: path)
        _ = try journal.recover { _ in }
        var last: Int64 = -1
        while let (job, stream) = try journal.job(after: last) {
            last = stream
            try body(try ExportedJob(job, journal))
        }
    }
}

extension SQLiteJournal {
    /// The job that was accepted next after a stream's number, with the number of its first stream.
    fileprivate func job(after stream: Int64) throws(ApusError) -> (KeptJob, Int64)? {
        try access { database in
            let row = try Row.fetchOne(
                database.cachedStatement(
                    sql: "SELECT \(JobRow.columns) FROM jobs WHERE stream > ? ORDER BY stream LIMIT 1"
                ),
                arguments: [stream]
            )
            return try row.map {
                let job = try JobRow($0)
                return (try keptJob(job, database), job.stream)
            }
        }
    }
}
