import ApusModel
import Testing

@Suite struct StreamTableTests {
    @Test func `Streams are found wherever their numbers begin, and only they`() {
        var table = StreamTable()
        #expect(table[StreamID(rawValue: 0)] == nil)
        for number in UInt64(1_000_000)..<1_000_010 { table.insert(StreamID(rawValue: number), at: Int(number) * 2) }
        #expect(table[StreamID(rawValue: 1_000_004)] == 2_000_008)
        for number: UInt64 in [0, 999_999, 1_000_010, .max] { #expect(table[StreamID(rawValue: number)] == nil) }
        table.insert(StreamID(rawValue: 999_990), at: 7)
        #expect(table[StreamID(rawValue: 999_990)] == 7)
        #expect(table[StreamID(rawValue: 999_995)] == nil)
        #expect(table[StreamID(rawValue: 1_000_009)] == 2_000_018)
        #expect(table.count == 11)
    }

    @Test func `A long life leaves a table as small as what it holds`() {
        var table = StreamTable()
        for number in UInt64(1)...100_000 {
            table.insert(StreamID(rawValue: number), at: 1)
            if number > 10 { #expect(table.remove(StreamID(rawValue: number - 10)) == 1) }
        }
        #expect(table.count == 10)
        #expect(table[StreamID(rawValue: 99_991)] == 1)
        #expect(table[StreamID(rawValue: 99_990)] == nil)
        #expect(table.remove(StreamID(rawValue: 5)) == nil)
    }

    @Test func `Streams far below the others take no more room than a few, wherever the others go`() {
        var table = StreamTable()
        table.insert(StreamID(rawValue: 1 << 40), at: 0)
        for number: UInt64 in [7, 900, 500_000] { table.insert(StreamID(rawValue: number), at: Int(number)) }
        #expect(table.count == 4)
        #expect(table.newest(3) == [0, 500_000, 900])
        table.insert(StreamID(rawValue: 900), at: 901)
        #expect(table.count == 4)
        #expect(table[StreamID(rawValue: 900)] == 901)
        #expect(table.remove(StreamID(rawValue: 1 << 40)) == 0)
        // The others begin anew below a stray and pass it.
        for number in UInt64(800)..<1_000 where number != 900 { table.insert(StreamID(rawValue: number), at: 3) }
        #expect(table[StreamID(rawValue: 900)] == 901)
        #expect(table[StreamID(rawValue: 901)] == 3)
        #expect(table.remove(StreamID(rawValue: 900)) == 901)
        #expect(table[StreamID(rawValue: 900)] == nil)
        #expect(table.count == 201)
    }
}
