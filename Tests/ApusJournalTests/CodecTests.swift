import ApusModel
import Testing

@testable import ApusJournal

@Suite struct CodecTests {
    @Test func `A change of any bit changes the checksum`() {
        var bytes = (0..<61).map { UInt8(truncatingIfNeeded: $0 &* 37) }
        func checksum(_ bytes: [UInt8], _ subject: UInt64 = 7) -> Int64 {
            var sum = Checksum(subject)
            bytes.withUnsafeBytes { sum.add($0) }
            return sum.value
        }
        var seen: Set<Int64> = [checksum(bytes)]
        for bit in 0..<bytes.count * 8 {
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(seen.insert(checksum(bytes)).inserted)
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
        }
        #expect(seen.insert(checksum(bytes + [0])).inserted)
        #expect(seen.insert(checksum(bytes.dropLast())).inserted)
        #expect(seen.insert(checksum(bytes, 8)).inserted)
    }

    @Test func `Columns read back as they were, with and without epochs, details and long texts`() throws {
        let scratch = ByteScratch()
        var all: [TokenColumns] = []
        for stream: UInt64 in 1...12 {
            var columns = tokens(stream, 0..<Int(stream) * 20)
            if stream % 4 == 0 { columns.epochs = [] }
            all.append(columns)
            ColumnCodec.append(columns, to: scratch)
        }
        var offset = 0
        for columns in all { #expect(ColumnCodec.decode(scratch.bytes, at: &offset) == columns) }
        #expect(offset == scratch.count)
    }

    @Test func `Any bytes are columns or none, and never a trap`() {
        let scratch = ByteScratch()
        ColumnCodec.append(tokens(3, 0..<40), to: scratch)
        let whole = Array(scratch.bytes)
        var random = SeededGenerator(state: 5)
        for length in 0..<whole.count {
            var offset = 0
            #expect(whole[..<length].withUnsafeBytes { ColumnCodec.decode($0, at: &offset) } == nil)
        }
        for _ in 0..<5_000 {
            var bytes = whole
            for _ in 0..<3 { bytes[Int.random(in: 0..<60, using: &random)] = UInt8.random(in: 0...255, using: &random) }
            var offset = 0
            let columns = bytes.withUnsafeBytes { ColumnCodec.decode($0, at: &offset) }
            #expect(columns.map { $0.ids.count == $0.textLengths.count } ?? true)
        }
    }
}
