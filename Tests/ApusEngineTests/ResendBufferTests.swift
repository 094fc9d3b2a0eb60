import ApusModel
import Testing

@testable import ApusEngine

@Suite struct ResendBufferTests {
    /// Keeps tokens; each one's text is its index, and its details as many bytes as are given.
    private func keep(_ details: [Int], in buffer: inout ResendBuffer) {
        for count in details {
            let start = buffer.text.count
            let index = buffer.endIndex
            buffer.text += Array("\(index)".utf8)
            let detail = [UInt8](repeating: UInt8(index), count: count)
            if count == 0 {
                buffer.append(TokenID(rawValue: Int32(index)), textFrom: start)
            } else {
                buffer.append(TokenID(rawValue: Int32(index)), textFrom: start, detail: detail)
            }
        }
    }

    private func take(_ buffer: inout ResendBuffer) -> TokenColumns {
        var columns = TokenColumns()
        buffer.take(before: .max, stream: StreamID(rawValue: 1), epoch: Epoch(rawValue: 1), into: &columns)
        return columns
    }

    @Test func `Details come with their tokens, once and again after a rewind`() {
        var buffer = ResendBuffer(firstIndex: 0)
        keep([0, 2, 0], in: &buffer)
        let first = take(&buffer)
        #expect(first.isValid)
        #expect(first.detailLengths == [0, 2, 0])
        #expect(first.details == [1, 1])
        keep([0, 1], in: &buffer)
        #expect(take(&buffer).detailLengths == [0, 1])
        buffer.acknowledge(through: 2)
        buffer.rewind()
        let again = take(&buffer)
        #expect(again.isValid)
        #expect(again.ids == [2, 3, 4])
        #expect(again.detailLengths == [0, 0, 1])
        #expect(again.details == [4])
    }

    @Test func `An acknowledgement forgets details, also of tokens that were not taken`() {
        var buffer = ResendBuffer(firstIndex: 0)
        keep([3, 1], in: &buffer)
        _ = take(&buffer)
        keep([2, 0, 0], in: &buffer)
        buffer.acknowledge(through: 1)
        #expect(take(&buffer).detailLengths == [2, 0, 0])
        buffer.acknowledge(through: 4)
        buffer.rewind()
        #expect(take(&buffer).detailLengths == [])
        buffer.acknowledge(through: 9)
        keep([1], in: &buffer)
        #expect(take(&buffer).details == [5])
    }

    @Test func `Streams with and without details share columns`() {
        var plain = ResendBuffer(firstIndex: 0)
        var detailed = ResendBuffer(firstIndex: 0)
        keep([0, 0], in: &plain)
        keep([4], in: &detailed)
        var columns = TokenColumns()
        plain.take(before: .max, stream: StreamID(rawValue: 1), epoch: Epoch(rawValue: 1), into: &columns)
        #expect(columns.detailLengths.isEmpty)
        detailed.take(before: .max, stream: StreamID(rawValue: 2), epoch: Epoch(rawValue: 1), into: &columns)
        keep([0], in: &plain)
        plain.take(before: .max, stream: StreamID(rawValue: 1), epoch: Epoch(rawValue: 1), into: &columns)
        #expect(columns.isValid)
        #expect(columns.detailLengths == [0, 0, 4, 0])
    }
}
