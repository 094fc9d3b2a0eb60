import ApusModel
import Foundation
import GRDB
import Testing

@testable import ApusJournal

@Suite struct SQLiteJournalTests {
    private func open(_ folder: TestFolder, _ settings: JournalSettings = .tiny) throws -> SQLiteJournal {
        try SQLiteJournal(folder: folder.path, settings: settings, clock: .fixed())
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func `A process that dies after any commit leaves all that it promised`(seed: UInt64) throws {
        let folder = try TestFolder()
        let journal = try open(folder)
        _ = try journal.recovered()
        var model = JournalModel(seed: seed)
        for commit in 1...120 {
            try journal.commit(model.batch())
            try model.check(journal, "seed \(seed), commit \(commit)")
            let copy = try folder.copy()
            let next = try open(copy)
            var survivor = model
            survivor.die()
            let facts = try next.recovered()
            survivor.check(facts, "seed \(seed), commit \(commit)")
            try survivor.check(next, "seed \(seed), after commit \(commit)")
        }
    }

    @Test(arguments: 11...13 as ClosedRange<UInt64>)
    func `A long life of many restarts goes on where it was`(seed: UInt64) throws {
        let folder = try TestFolder()
        var model = JournalModel(seed: seed)
        for life in 1...12 {
            let journal = try open(folder)
            model.die()
            model.check(try journal.recovered(), "seed \(seed), life \(life)")
            for _ in 0..<25 { try journal.commit(model.batch()) }
            try model.check(journal, "seed \(seed), life \(life)")
        }
    }

    @Test(arguments: 21...23 as ClosedRange<UInt64>)
    func `A commit that fails changes nothing, and the same batch can be committed later`(seed: UInt64) throws {
        let folder = try TestFolder()
        let journal = try open(folder)
        _ = try journal.recovered()
        var model = JournalModel(seed: seed)
        var failures = 0
        for commit in 1...100 {
            let before = model
            let batch = model.batch()
            let figures = journal.figures
            try journal.execute(commit % 2 == 0 ? "PRAGMA query_only = 1" : "PRAGMA max_page_count = 1")
            do {
                try journal.commit(batch)
            } catch {
                failures += 1
                #expect(error.code == .journalUnavailable)
                #expect(error.retryAfter == .seconds(1))
                try before.check(journal, "seed \(seed), failed commit \(commit)")
                #expect(journal.figures == figures)
                let next = try open(folder.copy())
                var survivor = before
                survivor.die()
                survivor.check(try next.recovered(), "seed \(seed), failed commit \(commit)")
                try journal.execute("PRAGMA query_only = 0; PRAGMA max_page_count = 1000000")
                try journal.commit(batch)
            }
            try journal.execute("PRAGMA query_only = 0; PRAGMA max_page_count = 1000000")
            try model.check(journal, "seed \(seed), commit \(commit)")
        }
        #expect(failures > 40)
    }
}
