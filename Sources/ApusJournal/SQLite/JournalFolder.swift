import ApusModel
import Foundation
import GRDB

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The folder of a durable journal, locked: the names of its files, and how its database is opened.
final class JournalFolder {
    /// The folder.
    let path: String
    private let lock: JournalLock

    /// Makes the folder where it is missing, for its owner only, since prompts are inside, and locks it.
    ///
    /// - Throws: `nameTaken` where another process has it; `journalUnavailable` where it can't be made.
    init(_ path: String) throws(ApusError) {
        self.path = path
        do {
            try FileManager.default.createDirectory(
                atPath: path,
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700]
            )
        } catch {
            throw ApusError(.journalUnavailable, "can't make the folder \(path): \(error.localizedDescription)")
        }
        lock = try JournalLock(folder: path)
    }

    /// Locks the folder of a journal that is there.
    ///
    /// - Throws: `notFound` where there is none; `nameTaken` where another process has it.
    init(existing path: String) throws(ApusError) {
        self.path = path
        let files = ["journal.sqlite", "journal.repaired.sqlite"].map { path + "/" + $0 }
        guard files.contains(where: { FileManager.default.fileExists(atPath: $0) }) else {
            throw ApusError(.notFound, "there is no journal in \(path); give its folder with --data")
        }
        lock = try JournalLock(folder: path)
    }

    /// The database.
    var database: String { path + "/journal.sqlite" }

    /// SQLite's write-ahead log.
    var wal: String { database + "-wal" }

    /// A database that a repair has not finished, or has not put in its place.
    var repaired: String { path + "/journal.repaired.sqlite" }

    /// Makes sure that what lies in the folder is whole, before SQLite sees it.
    ///
    /// - Throws: `JournalDamage` for a repair that was interrupted and a broken log.
    func inspect() throws {
        let files = FileManager.default
        if !files.fileExists(atPath: database), files.fileExists(atPath: repaired) || files.fileExists(atPath: wal) {
            throw JournalDamage(place: database, problem: "the file is missing: a repair was interrupted")
        }
        try WalInspection.check(wal)
    }

    /// Opens a database for writing; makes it where it is missing.
    func open(_ file: String, _ settings: JournalSettings) throws -> DatabaseQueue {
        if !FileManager.default.fileExists(atPath: file) {
            // SQLite gives its other files the same permissions.
            _ = FileManager.default.createFile(atPath: file, contents: nil, attributes: [.posixPermissions: 0o600])
        }
        var configuration = Self.configuration
        configuration.prepareDatabase { database in
            // Exclusive before anything is read: the index of the write-ahead log then is in memory and no other program
            // reads or checkpoints. Full: each commit is on disk when it returns.
            try database.execute(
                sql: """
                    PRAGMA page_size = \(settings.pageBytes);
                    PRAGMA locking_mode = EXCLUSIVE;
                    PRAGMA journal_mode = WAL;
                    PRAGMA synchronous = FULL;
                    PRAGMA wal_autocheckpoint = \(settings.walBytes / settings.pageBytes);
                    PRAGMA journal_size_limit = \(4 * settings.walBytes);
                    PRAGMA secure_delete = OFF;
                    PRAGMA temp_store = MEMORY;
                    PRAGMA cache_size = -4096;
                    """
            )
        }
        return try DatabaseQueue(path: file, configuration: configuration)
    }

    /// Opens the database so that nothing changes a byte of it, nor its log, and closes it again.
    ///
    /// The connection can't write and therefore neither copies the write-ahead log into the database nor deletes it. It takes
    /// SQLite's ordinary locks, since an exclusive one needs a file that is open for writing; the folder's own lock keeps others out.
    func reading<Value>(_ body: (Database) throws -> Value) throws -> Value {
        var configuration = Self.configuration
        configuration.readonly = true
        let files = FileManager.default
        let hadLog = files.fileExists(atPath: wal)
        let queue = try DatabaseQueue(path: database, configuration: configuration)
        defer {
            // Nothing was written, so that closing has nothing to do. What SQLite puts beside is of no use to others.
            try? queue.close()
            try? files.removeItem(atPath: database + "-shm")
            if !hadLog { try? files.removeItem(atPath: wal) }
        }
        return try queue.inDatabase(body)
    }

    /// Makes the names of the folder's files durable.
    func sync() throws {
        let descriptor = systemOpen(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw ApusError(.journalUnavailable, "can't open \(path)") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw ApusError(.journalUnavailable, "can't make \(path) durable") }
    }

    private static var configuration: Configuration {
        var configuration = Configuration()
        configuration.foreignKeysEnabled = false
        configuration.label = "journal"
        return configuration
    }

    /// The size of a file; 0 for one that is missing.
    static func size(_ file: String) -> UInt64 {
        // A file that can't be looked at counts as none: the figures are for people.
        let attributes = try? FileManager.default.attributesOfItem(atPath: file)
        return (attributes?[.size] as? NSNumber)?.uint64Value ?? 0
    }
}

/// The system's own, behind the folder's method of this name.
private func systemOpen(_ path: String, _ flags: Int32) -> Int32 { open(path, flags) }
