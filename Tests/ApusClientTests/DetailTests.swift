import ApusModel
import ApusProtocol
import Testing

@testable import ApusClient

@Suite("Log probabilities")
struct DetailTests {
    private static func detail(_ index: Int) -> TokenDetail {
        TokenDetail(logprob: -Float(index), top: [.init(id: TokenID(rawValue: 9), logprob: -0.5, text: [0xe2])])
    }

    /// Rows of tokens with details in odd streams.
    private static func columns(_ rows: (stream: UInt64, indexes: Range<Int>)...) -> TokenColumns {
        var columns = TokenColumns()
        for row in rows {
            for index in row.indexes {
                let token = Message.tokens((row.stream, index..<index + 1))
                columns.streams += token.streams
                columns.firstIndexes += token.firstIndexes
                columns.counts += token.counts
                columns.ids += token.ids
                columns.textLengths += token.textLengths
                columns.text += token.text
                var bytes: [UInt8] = []
                if row.stream % 2 == 1 { detail(index).encode(into: &bytes) }
                columns.appendDetails([UInt32(bytes.count)], bytes[...], count: 1)
            }
        }
        return columns
    }

    private func batch(_ message: TokenMessage, _ delivery: TokenDelivery) -> TokenBatch {
        TokenBatch(message: message, firstIndex: delivery.firstIndex, tokens: delivery.tokens, bytes: delivery.bytes)
    }

    @Test("Each token has its own details, also behind tokens that were known and beside streams without")
    func detailsOfTokens() {
        var table = FlowTable()
        for (slot, number) in [(0, UInt64(70)), (1, 71)] {
            table.open(StreamFlow(from: slot == 1 ? 1 : 0, window: 8), slot: slot)
            table.setNumber(number, slot: slot)
        }
        let columns = Self.columns((70, 0..<2), (71, 0..<3))
        #expect(columns.isValid)
        let message = TokenMessage(columns)
        var tokens: [Int: [Token]] = [0: [], 1: []]
        for delivery in table.take(columns).deliveries { tokens[delivery.slot]? += batch(message, delivery) }
        #expect(tokens[0]?.map(\.detail) == [nil, nil])
        #expect(tokens[0]?.map(\.logprob) == [nil, nil])
        #expect(tokens[1]?.map(\.index) == [1, 2])
        #expect(tokens[1]?.map(\.detail) == [Self.detail(1), Self.detail(2)])
        #expect(tokens[1]?.map(\.logprob) == [-1, -2])
    }

    @Test("A batch gives details by place, and a token is equal to one that is made with them")
    func batches() {
        let columns = Self.columns((71, 4..<5))
        let batch = TokenBatch(message: TokenMessage(columns), firstIndex: 4, tokens: 0..<1, bytes: 0..<2)
        #expect(batch.hasDetails)
        #expect(batch.detail(at: 0) == Self.detail(4))
        #expect(Array(batch) == [Token(index: 4, id: TokenID(rawValue: 4), text: "4 ", detail: Self.detail(4))])
        #expect(Array(batch) != [Token(index: 4, id: TokenID(rawValue: 4), text: "4 ")])
    }

    @Test("Batches that wait for their consumer keep their details, whenever these begin")
    func waitingBatches() {
        let plain = TokenBatch(
            message: TokenMessage(Message.tokens((70, 0..<2))),
            firstIndex: 0,
            tokens: 0..<2,
            bytes: 0..<4
        )
        let detailed = TokenBatch(
            message: TokenMessage(Self.columns((70, 5..<6), (71, 2..<3))),
            firstIndex: 2,
            tokens: 1..<2,
            bytes: 2..<4
        )
        let last = TokenBatch(
            message: TokenMessage(Message.tokens((70, 3..<4))),
            firstIndex: 3,
            tokens: 0..<1,
            bytes: 0..<2
        )
        var run = BufferedRun()
        run.append(plain)
        #expect(!run.take().hasDetails)
        for batch in [plain, detailed, last] { run.append(batch) }
        let merged = run.take()
        #expect(merged.text == "0 1 2 3 ")
        #expect(merged.map(\.detail) == [nil, nil, Self.detail(2), nil])
        #expect(!run.take().hasDetails)
    }

    @Test("Details that can't be read are none, and columns that do not add up are dropped")
    func hostileDetails() {
        var columns = Message.tokens((70, 0..<2))
        columns.detailLengths = [2, 0]
        columns.details = [0xff, 0xff]
        #expect(columns.isValid)
        let batch = TokenBatch(message: TokenMessage(columns), firstIndex: 0, tokens: 0..<2, bytes: 0..<4)
        #expect(batch.map(\.detail) == [nil, nil])
        for spoil: (inout TokenColumns) -> Void in [
            { $0.detailLengths = [2] }, { $0.detailLengths = [.max, 0] }, { $0.details = [] },
            { $0.detailLengths = Array(repeating: .max, count: 70_000) },
        ] {
            var spoiled = columns
            spoil(&spoiled)
            // The message is made before its columns are looked at.
            _ = TokenMessage(spoiled)
            var machine = Machine.following()
            #expect(machine.tokens(spoiled).texts == [])
            #expect(machine.malformed == 1)
        }
    }
}
