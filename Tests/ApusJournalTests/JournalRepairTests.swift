import ApusModel
import Foundation
import GRDB
import Testing

@testable import ApusJournal

@Suite struct JournalRepairTests {
    /// Jobs 1 (running, released), 10 (running, two streams of which 11 ended), 20 (ended), 30 (running, accepted), 40 (ended, two).
    private func example() throws -> TestFolder {
        let folder = try TestFolder()
        let journal = try SQLiteJournal(folder: folder.path, settings: .tiny, clock: .fixed())
        _ = try journal.recovered()
        for (first, choices) in [(1, 1), (10, 2), (20, 1), (30, 1), (40, 2)] as [(UInt64, Int)] {
            let durability: Durability = first == 30 ? .accepted : .released
            try journal.commit(.accepted(acceptance(first, choices: choices, durability: durability)))
            for stream in first..<first + UInt64(choices) { try journal.commit(.leased(attempt(stream, 1))) }
        }
        let streams = [1, 10, 11, 20, 30, 40, 41] as [UInt64]
        for index in 0..<27 {
            try journal.commit(TokenColumns.joined(streams.map { tokens($0, index..<index + 1) }))
        }
        for stream in [11, 20, 40, 41] as [UInt64] {
            try journal.commit(.ended(StreamID(rawValue: stream), streamEnd(tokens: 27), at: .zero))
        }
        for index in 27..<30 { try journal.commit(tokens(1, index..<index + 1)) }
        return folder
    }

    private func open(_ folder: TestFolder) throws(ApusError) -> SQLiteJournal {
        try SQLiteJournal(folder: folder.path, settings: .tinyWithLongLog, clock: .fixed())
    }

    private func repair(_ folder: TestFolder) throws -> JournalReport {
        try JournalRepair.run(folder: folder.path, settings: .tiny, at: 1_700_000_000)
    }

    @Test func `A whole journal is found whole, and not a byte of it changes`() throws {
        let folder = try example()
        let before = try Data(contentsOf: URL(fileURLWithPath: folder.database))
        for report in [try JournalCheck.run(folder: folder.path), try repair(folder)] {
            #expect(report.findings == [])
            #expect(report.isWhole && report.losses.isEmpty && report.damagedFile == nil)
            #expect(report.jobs == 5 && report.runningStreams == 3 && report.leases == 7)
            #expect(report.tokens == 30 + 5 * 27)
        }
        #expect(try Data(contentsOf: URL(fileURLWithPath: folder.database)) == before)
    }

    @Test func `A journal of a killed process is checked with its log, and both stay as they are`() throws {
        let folder = try TestFolder()
        let journal = try open(folder)
        _ = try journal.recovered()
        try journal.commit(.accepted(acceptance(1)), .leased(attempt(1, 1)))
        try journal.commit(tokens(1, 0..<7))
        let killed = try folder.copy()
        let files = try [killed.database, killed.wal].map { try Data(contentsOf: URL(fileURLWithPath: $0)) }
        let report = try JournalCheck.run(folder: killed.path)
        #expect(report.isWhole && report.tokens == 7)
        #expect(try [killed.database, killed.wal].map { try Data(contentsOf: URL(fileURLWithPath: $0)) } == files)
    }

    @Test(
        arguments: [
            (
                "UPDATE chunks SET payload = CAST(zeroblob(length(payload)) AS BLOB) WHERE stream = 1 AND first = 0",
                [1: "computed_again"], true
            ),
            ("DELETE FROM chunks WHERE stream = 1", [1: "computed_again"], true),
            (
                "UPDATE log SET payload = CAST(substr(payload, 1, length(payload) - 1) || x'7f' AS BLOB) WHERE seq = 28",
                [1: "computed_again", 10: "computed_again"], true
            ),
            ("UPDATE chunks SET stream = 31 WHERE stream = 20", [20: "forgotten"], false),
            ("DELETE FROM chunks WHERE stream = 20 AND first > 0", [20: "forgotten"], false),
            ("DELETE FROM chunks WHERE stream = 40", [40: "failed"], false),
            ("UPDATE jobs SET request = x'0102' WHERE stream = 1", [1: "lost"], true),
            ("UPDATE jobs SET key = 'other' WHERE stream = 20", [20: "lost"], false),
            ("UPDATE ends SET tokens = 26 WHERE stream = 11", [10: "", 11: "computed_again"], true),
            ("DELETE FROM ends WHERE stream = 41", [41: "computed_again"], false),
            ("UPDATE leases SET worker = 'w2' WHERE stream = 10", [10: "computed_again"], true),
            ("DELETE FROM log WHERE seq = 28", [1: "computed_again"], true),
            ("UPDATE meta SET value = 3", [:], false),
        ] as [(String, [UInt64: String], Bool)]
    )
    func `Damage is found, and a repair keeps all else`(sql: String, losses: [UInt64: String], isRefused: Bool) throws {
        let folder = try example()
        try folder.execute(sql)
        if isRefused { #expect(throws: ApusError.self, "\(sql)") { try self.open(folder).recovered() } }
        let check = try JournalCheck.run(folder: folder.path)
        #expect(!check.isWhole, "\(sql)")
        let lost = Dictionary(uniqueKeysWithValues: check.losses.map { ($0.stream, $0.outcome.rawValue) })
        #expect(lost == losses.filter { !$0.value.isEmpty }, "\(sql)")
        let report = try repair(folder)
        #expect(report.losses == check.losses)
        #expect(FileManager.default.fileExists(atPath: report.damagedFile ?? ""))
        #expect(
            report.damagedFile?.hasSuffix("journal.damaged-20231114T221320Z.sqlite") == true,
            "\(report.damagedFile ?? "")"
        )
        let after = try JournalCheck.run(folder: folder.path)
        #expect(after.findings == [], "\(sql)")
        let journal = try open(folder)
        var facts: [JournalFact] = []
        let reserved = try journal.recover { facts.append($0) }
        #expect(reserved > 41 + 1_000)
        for (stream, count) in [1: 30, 10: 27, 11: 27, 20: 27, 40: 27, 41: 27] as [UInt64: Int]
        where losses[stream] == nil {
            #expect(try journal.read(stream, 0..<count) == reading(stream, 0..<count), "\(sql), stream \(stream)")
        }
        for (stream, outcome) in losses where outcome == "computed_again" {
            let job = try journal.find(.key("key-\(stream / 10 * 10 + (stream == 1 ? 1 : 0))"))
            #expect(job?.accepted.request.durability == .accepted, "\(sql)")
            #expect(try journal.history(of: StreamID(rawValue: stream), count: 0) == [])
            #expect(throws: ApusError.self) { try journal.history(of: StreamID(rawValue: stream), count: 1) }
        }
    }

    @Test func `Damage in the middle of the write-ahead log is repaired to what was before it`() throws {
        let folder = try TestFolder()
        let journal = try open(folder)
        _ = try journal.recovered()
        try journal.commit(.accepted(acceptance(1)), .leased(attempt(1, 1)))
        try journal.commit(.accepted(acceptance(2, durability: .accepted)), .leased(attempt(2, 1)))
        let place = try Data(contentsOf: URL(fileURLWithPath: folder.wal)).count
        for index in 0..<5 { try journal.commit(tokens(1, index..<index + 1)) }
        let killed = try folder.copy()
        try killed.flip(killed.wal, at: place + 100)
        #expect(throws: ApusError.self) { try self.open(killed) }
        let check = try JournalCheck.run(folder: killed.path)
        #expect(check.findings.first?.place.contains("journal.sqlite-wal") == true)
        let report = try repair(killed)
        #expect(report.losses.map(\.stream) == [1])
        let next = try open(killed)
        let facts = try next.recovered()
        #expect(facts.contains { if case .record(.accepted(let job)) = $0 { job.stream.rawValue == 2 } else { false } })
        #expect(try next.find(.key("key-1"))?.accepted.request.durability == .accepted)
    }

    @Test(arguments: 1...12)
    func `Broken pages cost no more than what was in them`(seed: Int) throws {
        let folder = try TestFolder()
        do {
            let journal = try open(folder)
            _ = try journal.recovered()
            for stream: UInt64 in 1...200 {
                try journal.commit(.accepted(acceptance(stream)), .leased(attempt(stream, 1)))
                try journal.commit(tokens(stream, 0..<60))
                if stream % 2 == 0 {
                    try journal.commit(.ended(StreamID(rawValue: stream), streamEnd(tokens: 60), at: .zero))
                }
            }
        }
        var random = SeededGenerator(state: UInt64(seed))
        let size = try Data(contentsOf: URL(fileURLWithPath: folder.database)).count
        // The first pages hold the schema and the roots: without them there is nothing to find.
        let page = Int.random(in: 20..<size / 4_096, using: &random)
        try folder.flip(folder.database, at: page * 4_096, count: 200)
        let check = try JournalCheck.run(folder: folder.path)
        let report = try repair(folder)
        #expect(report.losses == check.losses)
        #expect(try JournalCheck.run(folder: folder.path).findings == [])
        let journal = try open(folder)
        _ = try journal.recovered()
        let lost = Set(report.losses.map(\.stream))
        var whole = 0
        for stream: UInt64 in 1...200 where !lost.contains(stream) {
            guard try journal.find(.key("key-\(stream)")) != nil else { continue }
            whole += 1
            #expect(try journal.read(stream, 0..<60) == reading(stream, 0..<60), "page \(page), stream \(stream)")
        }
        #expect(whole >= 40, "page \(page)")
    }

    @Test func `All that is kept is exported, oldest first`() throws {
        let folder = try example()
        var jobs: [ExportedJob] = []
        try JournalExport.run(folder: folder.path) { jobs.append($0) }
        #expect(jobs.map(\.key) == ["key-1", "key-10", "key-20", "key-30", "key-40"])
        let encoded = try JSONEncoder().encode(jobs)
        let array = try #require(try JSONSerialization.jsonObject(with: encoded) as? [[String: Any]])
        let streams = try #require(array[1]["streams"] as? [[String: Any]])
        #expect(streams.map { ($0["tokens"] as? [Int])?.count } == [27, 27])
        #expect(streams[0]["end"] == nil)
        #expect((streams[1]["end"] as? [String: Any])?["reason"] as? String == "stop")
        #expect(streams[1]["text"] as? String == String(decoding: tokens(11, 0..<27).text, as: UTF8.self))
        #expect((array[0]["request"] as? [String: Any])?["prompt"] as? String == "a prompt")
    }

    @Test func `A folder without a journal is said to have none`() throws {
        let folder = try TestFolder()
        let error = #expect(throws: ApusError.self) { try JournalCheck.run(folder: folder.path) }
        #expect(error?.code == .notFound)
    }
}
