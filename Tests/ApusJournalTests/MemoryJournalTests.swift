import ApusJournal
import ApusModel
import Testing

@Suite struct MemoryJournalTests {
    private func accepted(_ stream: UInt64, choices: Int = 1) -> JournalRecord {
        .accepted(
            AcceptedRecord(
                job: JobID(rawValue: stream),
                stream: StreamID(rawValue: stream),
                key: "k",
                client: "c",
                request: GenerationRequest(prompt: "p", choices: choices),
                choseSeed: false,
                acceptedAt: .zero
            )
        )
    }

    private func columns(_ rows: [(stream: UInt64, first: Int, texts: [String])]) -> TokenColumns {
        var columns = TokenColumns()
        for row in rows {
            columns.streams.append(row.stream)
            columns.firstIndexes.append(UInt64(row.first))
            columns.counts.append(UInt32(row.texts.count))
            for (place, text) in row.texts.enumerated() {
                columns.ids.append(Int32(row.first + place))
                columns.textLengths.append(UInt32(text.utf8.count))
                columns.text += Array(text.utf8)
            }
        }
        return columns
    }

    @Test func `Every stream of a job is kept, and forgotten on its own`() throws {
        let journal = MemoryJournal()
        try journal.commit(JournalBatch(tokens: [], records: [accepted(70, choices: 3)]))
        try journal.commit(JournalBatch(tokens: [columns([(70, 0, ["a"]), (72, 0, ["x", "y"])])], records: []))
        #expect(journal.count == 3)
        #expect(try journal.history(of: StreamID(rawValue: 72), count: 2) == [0, 1])
        let forgotten = (70..<73).map { JournalRecord.forgotten(StreamID(rawValue: $0)) }
        try journal.commit(JournalBatch(tokens: [], records: forgotten))
        #expect(journal.count == 0)
    }

    @Test func `Any range of a stream reads back as it was committed`() throws {
        let journal = MemoryJournal()
        let long = String(repeating: "long ", count: 20)
        try journal.commit(JournalBatch(tokens: [], records: [accepted(70), accepted(71)]))
        try journal.commit(JournalBatch(tokens: [columns([(70, 0, ["a", "", "bc"]), (71, 0, ["x"])])], records: []))
        try journal.commit(JournalBatch(tokens: [columns([(71, 1, ["y"]), (70, 3, [long, "é"])])], records: []))
        let texts = ["a", "", "bc", long, "é"]
        for lower in 0..<5 {
            for upper in lower + 1...5 {
                var read = TokenColumns()
                try journal.read(StreamID(rawValue: 70), lower..<upper, into: &read)
                #expect(read == columns([(70, lower, Array(texts[lower..<upper]))]))
            }
        }
        #expect(try journal.history(of: StreamID(rawValue: 71), count: 2) == [0, 1])
    }

    @Test func `What does not follow is refused`() throws {
        let journal = MemoryJournal()
        try journal.commit(JournalBatch(tokens: [], records: [accepted(1)]))
        for wrong in [columns([(1, 1, ["gap"])]), columns([(2, 0, ["unknown"])])] {
            #expect(throws: ApusError.self) { try journal.commit(JournalBatch(tokens: [wrong], records: [])) }
        }
        var read = TokenColumns()
        #expect(throws: ApusError.self) { try journal.read(StreamID(rawValue: 1), 0..<1, into: &read) }
        #expect(throws: ApusError.self) { try journal.history(of: StreamID(rawValue: 9), count: 0) }
    }

    @Test func `A forgotten stream is gone and its place is used again`() throws {
        let journal = MemoryJournal()
        for stream: UInt64 in 1...100 {
            try journal.commit(JournalBatch(tokens: [], records: [accepted(stream)]))
            try journal.commit(JournalBatch(tokens: [columns([(stream, 0, ["t"])])], records: []))
            if stream > 3 {
                try journal.commit(JournalBatch(tokens: [], records: [.forgotten(StreamID(rawValue: stream - 3))]))
            }
        }
        #expect(journal.count == 3)
        #expect(throws: ApusError.self) { try journal.history(of: StreamID(rawValue: 97), count: 1) }
        #expect(try journal.history(of: StreamID(rawValue: 98), count: 1) == [0])
    }
}
