import ApusModel
import GRDB

/// Something that was committed and can't be read any more.
struct JournalDamage: Error {
    /// Where: the table and the row, or the file and the place in it.
    let place: String

    /// What is wrong there.
    let problem: String

    /// As the coordinator and people see it.
    var error: ApusError {
        ApusError(
            .internalFailure,
            "the journal is damaged at \(place): \(problem); stop the coordinator and run `apus journal repair`"
        )
    }
}

extension ApusError {
    /// What an error of the database means for the journal's caller.
    init(_ error: any Error) {
        switch error {
        case let error as ApusError: self = error
        case let damage as JournalDamage: self = damage.error
        case let error as DatabaseError: self.init(error)
        default: self.init(.internalFailure, "the journal failed: \(error)")
        }
    }

    private init(_ error: DatabaseError) {
        let detail = error.message ?? "SQLite's error \(error.extendedResultCode.rawValue)"
        switch error.resultCode {
        case .SQLITE_FULL:
            self.init(unavailable: "the disk is full")
        case .SQLITE_IOERR where Self.syncFailures.contains(error.extendedResultCode):
            self.init(unavailable: "the disk can't make it durable (\(detail))")
        case .SQLITE_IOERR:
            self.init(unavailable: "the disk fails (\(detail))")
        case .SQLITE_READONLY, .SQLITE_PERM:
            self.init(unavailable: "the file or its disk is read-only")
        case .SQLITE_CANTOPEN:
            self.init(unavailable: "its file can't be opened")
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            self.init(unavailable: "another program holds the database's lock")
        case .SQLITE_NOMEM:
            self.init(unavailable: "there is no memory left")
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            self = JournalDamage(place: "its database file", problem: detail).error
        default:
            self.init(.internalFailure, "the journal's database failed: \(detail)")
        }
    }

    private static let syncFailures: [ResultCode] = [
        .SQLITE_IOERR_FSYNC, .SQLITE_IOERR_DIR_FSYNC, .SQLITE_IOERR_TRUNCATE,
    ]

    private init(unavailable problem: String) {
        self.init(
            .journalUnavailable,
            "the journal can't be written: \(problem); what is accepted waits until it can",
            retryAfter: .seconds(1)
        )
    }
}
