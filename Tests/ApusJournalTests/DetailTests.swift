import ApusJournal
import ApusModel
import Testing

@Suite struct DetailTests {
    private func accepted(_ stream: UInt64) -> JournalRecord {
        .accepted(
            AcceptedRecord(
                job: JobID(rawValue: stream),
                stream: StreamID(rawValue: stream),
                key: "k",
                client: "c",
                request: GenerationRequest(prompt: "p"),
                choseSeed: false,
                acceptedAt: .zero
            )
        )
    }

    /// Rows of tokens with a byte of text each and details of so many bytes, which say their index.
    private func columns(_ rows: [(stream: UInt64, first: Int, details: [Int])]) -> TokenColumns {
        var columns = TokenColumns()
        for row in rows {
            columns.streams.append(row.stream)
            columns.firstIndexes.append(UInt64(row.first))
            columns.counts.append(UInt32(row.details.count))
            for (place, count) in row.details.enumerated() {
                columns.ids.append(Int32(row.first + place))
                columns.textLengths.append(1)
                columns.text.append(UInt8(ascii: "t"))
                columns.appendDetails(
                    [UInt32(count)],
                    ArraySlice(repeating: UInt8(row.first + place), count: count),
                    count: 1
                )
            }
        }
        return columns
    }

    @Test func `Any range reads back with its details, whenever they began`() throws {
        let journal = MemoryJournal()
        try journal.commit(JournalBatch(tokens: [], records: [accepted(70), accepted(71)]))
        for batch in [
            columns([(70, 0, [0, 0]), (71, 0, [0])]), columns([(71, 1, [0]), (70, 2, [3, 0]), (71, 2, [1])]),
            columns([(70, 4, [0])]), columns([(71, 3, [0]), (70, 5, [1, 2])]),
        ] {
            try journal.commit(JournalBatch(tokens: [batch], records: []))
        }
        let details = [0, 0, 3, 0, 0, 1, 2]
        for lower in 0..<7 {
            for upper in lower + 1...7 {
                var read = TokenColumns()
                try journal.read(StreamID(rawValue: 70), lower..<upper, into: &read)
                #expect(read == columns([(70, lower, Array(details[lower..<upper]))]))
            }
        }
    }

    @Test func `Streams with and without details are read into the same columns`() throws {
        let journal = MemoryJournal()
        try journal.commit(JournalBatch(tokens: [], records: [accepted(1), accepted(2)]))
        try journal.commit(JournalBatch(tokens: [columns([(1, 0, [0, 0]), (2, 0, [4, 0])])], records: []))
        var read = TokenColumns()
        for stream in [1, 2, 1] as [UInt64] { try journal.read(StreamID(rawValue: stream), 0..<2, into: &read) }
        #expect(read.isValid)
        #expect(read.detailLengths == [0, 0, 4, 0, 0, 0])
        var plain = TokenColumns()
        try journal.read(StreamID(rawValue: 1), 0..<2, into: &plain)
        #expect(!plain.hasDetails)
    }
}
