public import ApusModel
import GRDB

/// Looks a journal over without changing a byte of it.
public enum JournalCheck {
    /// Reads every row of a journal that nobody has open, and says what is wrong.
    ///
    /// - Parameter path: The journal's folder.
    /// - Returns: What was found; `losses` says what a repair would cost.
    /// - Throws: `nameTaken` where a coordinator has it open; `notFound` where there is none; `unsupported` for one that a newer
    ///   version wrote; `internalFailure` where the file is no database at all.
    public static func run(folder path: String) throws(ApusError) -> JournalReport {
        let folder = try JournalFolder(existing: path)
        do {
            return try survey(folder) { try JournalSurvey($0, wal: $1).report }
        } catch {
            throw ApusError(error)
        }
    }

    /// Opens the database to read, and passes on what is wrong with its write-ahead log.
    static func survey<Value>(
        _ folder: JournalFolder,
        _ body: (Database, JournalDamage?) throws -> Value
    ) throws -> Value {
        var wal: JournalDamage?
        do { try folder.inspect() } catch let damage as JournalDamage { wal = damage }
        return try folder.reading { database in
            try JournalSchema.verify(database)
            return try body(database, wal)
        }
    }
}
