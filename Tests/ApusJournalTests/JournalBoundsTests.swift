import ApusModel
import Foundation
import GRDB
import Testing

@testable import ApusJournal

@Suite struct JournalBoundsTests {
    @Test func `Memory stays flat over a million tokens of one stream`() throws {
        let folder = try TestFolder()
        let journal = try SQLiteJournal(folder: folder.path, settings: JournalSettings(), clock: .fixed())
        _ = try journal.recovered()
        try journal.commit(.accepted(acceptance(1)), .leased(attempt(1, 1)))
        var most: UInt64 = 0
        var columns = TokenColumns()
        for turn in 0..<4_000 {
            columns.removeAll()
            tokens(1, turn * 250..<(turn + 1) * 250, into: &columns)
            try journal.commit(columns)
            most = max(most, journal.figures.memoryBytes)
        }
        #expect(most < 32_000)
        for first in [0, 499_990, 999_000] {
            #expect(try journal.read(1, first..<first + 900) == reading(1, first..<first + 900))
        }
        let ids = try journal.history(of: StreamID(rawValue: 1), count: 1_000_000)
        #expect(ids.count == 1_000_000)
        #expect(ids.last == tokens(1, 999_999..<1_000_000).ids.last)
        #expect(journal.log.rows < 100)
    }

    @Test func `The log stays bounded beside streams that hardly move`() throws {
        let folder = try TestFolder()
        let journal = try SQLiteJournal(folder: folder.path, settings: .tiny, clock: .fixed())
        _ = try journal.recovered()
        for stream: UInt64 in 1...40 { try journal.commit(.accepted(acceptance(stream))) }
        try journal.commit(TokenColumns.joined((1...39).map { tokens($0, 0..<1) }))
        var most = 0
        for index in 0..<500 {
            try journal.commit(tokens(40, index..<index + 1))
            most = max(most, journal.log.rows)
        }
        #expect(most <= 12 + 4 + 20)
        for stream: UInt64 in 1...39 { #expect(try journal.read(stream, 0..<1) == reading(stream, 0..<1)) }
        let rows = try journal.queue.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM log") }
        #expect(rows == journal.log.rows)
    }

    @Test func `An ended stream needs no memory, and its tokens are read as before`() throws {
        let folder = try TestFolder()
        let journal = try SQLiteJournal(folder: folder.path, settings: .tiny, clock: .fixed())
        _ = try journal.recovered()
        for durability in [Durability.released, .accepted] {
            let stream: UInt64 = durability == .released ? 3 : 6
            try journal.commit(.accepted(acceptance(stream, durability: durability)), .leased(attempt(stream, 1)))
            for index in 0..<50 { try journal.commit(tokens(stream, index..<index + 1)) }
            try journal.commit(.ended(StreamID(rawValue: stream), streamEnd(tokens: 50), at: .zero))
            #expect(journal.figures.memoryBytes == 0)
            #expect(try journal.read(stream, 7..<41) == reading(stream, 7..<41))
        }
    }

    @Test func `Jobs go when their time is over, whole and oldest first`() throws {
        let folder = try TestFolder()
        let journal = try SQLiteJournal(
            folder: folder.path,
            settings: JournalSettings(retention: .seconds(10)),
            clock: .fixed()
        )
        _ = try journal.recovered()
        let second: Int64 = 1_000_000_000
        for (place, stream) in ([1, 11, 21] as [UInt64]).enumerated() {
            let durability: Durability = place == 2 ? .none : .released
            try journal.commit(.accepted(acceptance(stream, choices: 2, durability: durability)))
            for choice in stream..<stream + 2 {
                try journal.commit(tokens(choice, 0..<5))
                let moment = Timestamp(nanoseconds: (5 - Int64(place)) * second)
                try journal.commit(.ended(StreamID(rawValue: choice), streamEnd(), at: moment))
            }
        }
        try journal.commit(.accepted(acceptance(31)))
        func expired(_ seconds: Int64, _ limit: Int = 100) throws -> [UInt64] {
            try journal.expired(at: Timestamp(nanoseconds: seconds * second), limit: limit).map(\.rawValue)
        }
        #expect(try expired(13) == [])
        #expect(try expired(14) == [21, 22])
        #expect(try expired(15) == [21, 22, 11, 12])
        #expect(try expired(16, 3) == [21, 22, 11, 12])
        #expect(try expired(1_000) == [21, 22, 11, 12, 1, 2])
        let records = try expired(1_000).map { JournalRecord.forgotten(StreamID(rawValue: $0)) }
        try journal.commit(JournalBatch(tokens: [], records: records))
        #expect(try expired(1_000) == [])
        #expect(journal.figures.jobs == 1)
        #expect(try journal.find(.key("key-1")) == nil)
        for table in ["ends", "chunks", "leases"] {
            #expect(try journal.queue.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM \(table)") } == 0)
        }
    }

    @Test func `Where too much is in use, the jobs that ended first go before their time`() throws {
        let folder = try TestFolder()
        let journal = try SQLiteJournal(
            folder: folder.path,
            settings: JournalSettings(limitBytes: 700_000),
            clock: .fixed()
        )
        _ = try journal.recovered()
        for stream: UInt64 in 1...10 {
            let prompt = String(repeating: "long", count: 25_000)
            try journal.commit(.accepted(acceptance(stream, prompt: prompt)))
            let moment = Timestamp(nanoseconds: Int64(100 - stream))
            try journal.commit(.ended(StreamID(rawValue: stream), streamEnd(), at: moment))
        }
        let expired = try journal.expired(at: .zero, limit: 100).map(\.rawValue)
        #expect(expired.first == 10)
        #expect((3...6).contains(expired.count))
        let records = expired.map { JournalRecord.forgotten(StreamID(rawValue: $0)) }
        try journal.commit(JournalBatch(tokens: [], records: records))
        #expect(try journal.expired(at: .zero, limit: 100) == [])
    }

    @Test func `Numbers of jobs that are in memory only are not given again`() throws {
        let folder = try TestFolder()
        var highest: UInt64 = 0
        for _ in 0..<3 {
            let journal = try SQLiteJournal(folder: folder.path, settings: .tiny, clock: .fixed())
            let reserved = try journal.recover { _ in }
            #expect(reserved >= highest)
            for stream in reserved + 1...reserved + 2_000 {
                try journal.commit(.accepted(acceptance(stream, durability: .none)))
                highest = stream
            }
            #expect(try journal.find(.key("key-\(highest)")) != nil)
        }
    }
}

extension TokenColumns {
    /// Rows of several columns as one turn has them.
    static func joined(_ parts: [TokenColumns]) -> TokenColumns {
        var joined = TokenColumns()
        for part in parts {
            joined.streams += part.streams
            joined.epochs += part.epochs
            joined.firstIndexes += part.firstIndexes
            joined.counts += part.counts
            joined.ids += part.ids
            joined.textLengths += part.textLengths
            joined.text += part.text
            joined.appendDetails(
                part.hasDetails ? part.detailLengths[...] : [],
                part.details[...],
                count: part.tokens
            )
        }
        return joined
    }
}
