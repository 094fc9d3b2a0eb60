import ApusModel
import Foundation
import GRDB
import Testing

@testable import ApusJournal

@Suite struct JournalOpeningTests {
    private func open(_ folder: TestFolder, clock: JournalClock = .fixed()) throws(ApusError) -> SQLiteJournal {
        try SQLiteJournal(folder: folder.path, settings: .tinyWithLongLog, clock: clock)
    }

    @Test func `A second opener is told who has it`() throws {
        let folder = try TestFolder()
        let journal = try open(folder)
        _ = try journal.recovered()
        let error = #expect(throws: ApusError.self) { try self.open(folder) }
        #expect(error?.code == .nameTaken)
        #expect(error?.message.contains("\(ProcessInfo.processInfo.processIdentifier)") == true)
        #expect(throws: ApusError.self) { try JournalCheck.run(folder: folder.path) }
    }

    @Test func `Nobody else may look into its files`() throws {
        let folder = try TestFolder()
        let path = folder.path + "/data"
        let journal = try SQLiteJournal(folder: path)
        _ = try journal.recovered()
        for (file, wanted) in [
            ("", 0o700), ("/journal.sqlite", 0o600), ("/journal.sqlite-wal", 0o600), ("/journal.lock", 0o600),
        ] {
            let attributes = try FileManager.default.attributesOfItem(atPath: path + file)
            #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == wanted, "\(file)")
        }
    }

    @Test func `A newer journal is refused`() throws {
        let folder = try TestFolder()
        _ = try open(folder)
        try folder.execute("INSERT INTO grdb_migrations (identifier) VALUES ('v999')")
        let error = #expect(throws: ApusError.self) { try self.open(folder) }
        #expect(error?.code == .unsupported)
        #expect(error?.message.contains("newer version") == true)
    }

    @Test func `Moments are never later than now, wherever the wall clock went`() throws {
        let folder = try TestFolder()
        let hour: Int64 = 3_600_000_000_000
        do {
            let journal = try open(folder, clock: .fixed(wall: 100 * hour, monotonic: 50 * hour))
            _ = try journal.recovered()
            try journal.commit(.accepted(acceptance(1, at: 49 * hour)))
        }
        for (wall, expected) in [(101, 0), (90, 2), (100, -1)] as [(Int64, Int64)] {
            let journal = try open(folder, clock: .fixed(wall: wall * hour, monotonic: 2 * hour))
            guard case .record(.accepted(let accepted))? = try journal.recovered().first else {
                Issue.record("the job is missing")
                continue
            }
            let wanted = wall == 100 ? 1 * hour : expected * hour
            #expect(accepted.acceptedAt.nanoseconds == wanted)
        }
    }

    @Test func `A torn tail is dropped, and everything before it is there`() throws {
        let folder = try TestFolder()
        let journal = try open(folder)
        _ = try journal.recovered()
        try journal.commit(.accepted(acceptance(1)), .leased(attempt(1, 1)))
        try journal.commit(tokens(1, 0..<5))
        let before = try Data(contentsOf: URL(fileURLWithPath: folder.wal)).count
        try journal.commit(tokens(1, 5..<9))
        let after = try Data(contentsOf: URL(fileURLWithPath: folder.wal)).count
        #expect(after > before)
        for length in [before, before + 10, before + 300, after - 4_000, after - 1] {
            let torn = try folder.copy()
            truncate(torn.wal, off_t(length))
            let next = try open(torn)
            _ = try next.recovered()
            #expect(try next.history(of: StreamID(rawValue: 1), count: 5).count == 5)
            #expect(throws: ApusError.self) { try next.history(of: StreamID(rawValue: 1), count: 6) }
        }
        for offset in [before + 4, before + 12, before + 100, after - 10] {
            let torn = try folder.copy()
            try torn.flip(torn.wal, at: offset)
            let next = try open(torn)
            _ = try next.recovered()
            #expect(try next.history(of: StreamID(rawValue: 1), count: 5).count == 5)
        }
    }

    @Test func `Damage in the middle of the log is refused with its place, and nothing is dropped`() throws {
        let folder = try TestFolder()
        let journal = try open(folder)
        _ = try journal.recovered()
        try journal.commit(.accepted(acceptance(1)), .leased(attempt(1, 1)))
        let middle = try Data(contentsOf: URL(fileURLWithPath: folder.wal)).count
        for index in 0..<5 { try journal.commit(tokens(1, index..<index + 1)) }
        for offset in [0, 20, 32 + 24 + 10, middle + 2, middle + 18, middle + 2_000] {
            let damaged = try folder.copy()
            try damaged.flip(damaged.wal, at: offset)
            let bytes = try Data(contentsOf: URL(fileURLWithPath: damaged.wal))
            let error = #expect(throws: ApusError.self) { try self.open(damaged) }
            #expect(error?.code == .internalFailure)
            #expect(error?.message.contains("journal.sqlite-wal") == true)
            #expect(error?.message.contains("apus journal repair") == true)
            #expect(try Data(contentsOf: URL(fileURLWithPath: damaged.wal)) == bytes)
        }
    }

    @Test func `A file that is no database is refused`() throws {
        let folder = try TestFolder()
        try Data("this is no database, but a text that somebody put here".utf8)
            .write(to: URL(fileURLWithPath: folder.database))
        let error = #expect(throws: ApusError.self) { try self.open(folder) }
        #expect(error?.code == .internalFailure)
    }
}
