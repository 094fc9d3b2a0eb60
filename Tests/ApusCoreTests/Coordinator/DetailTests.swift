import ApusCore
import ApusModel
import Testing

@Suite struct DetailTests {
    /// A step of rows; the details of token i of an odd stream are i + 1 bytes that name both, even streams have none.
    private func report(_ rows: [(stream: UInt64, epoch: UInt32, indexes: Range<Int>)]) -> StepReport {
        var columns = TokenColumns()
        for row in rows {
            columns.streams.append(row.stream)
            columns.epochs.append(row.epoch)
            columns.firstIndexes.append(UInt64(row.indexes.lowerBound))
            columns.counts.append(UInt32(row.indexes.count))
            for index in row.indexes {
                columns.ids.append(Int32(index))
                let text = Array("<\(index)>".utf8)
                columns.textLengths.append(UInt32(text.count))
                columns.text += text
                let detail = Self.detail(row.stream, index)
                columns.appendDetails([UInt32(detail.count)], detail[...], count: 1)
            }
        }
        return StepReport(progress: 1, isBusy: true, tokens: columns)
    }

    private static func detail(_ stream: UInt64, _ index: Int) -> [UInt8] {
        stream % 2 == 0 ? [] : Array(repeating: UInt8(Int(stream) * 16 + index), count: index + 1)
    }

    /// The tokens of columns as `stream.index`, each checked to have its own details.
    private func tokens(_ columns: TokenColumns) -> [String] {
        #expect(columns.isValid)
        var (token, detail) = (0, 0)
        var names: [String] = []
        for row in 0..<columns.rows {
            for place in 0..<Int(columns.counts[row]) {
                let index = Int(columns.firstIndexes[row]) + place
                let length = columns.hasDetails ? Int(columns.detailLengths[token]) : 0
                #expect(Array(columns.details[detail..<detail + length]) == Self.detail(columns.streams[row], index))
                names.append("\(columns.streams[row]).\(index)")
                (token, detail) = (token + 1, detail + length)
            }
        }
        return names
    }

    @Test func `Tokens keep their details where rows are trimmed, cut, fenced and regrouped`() {
        let other = ClientPeer(rawValue: 2)
        var bench = MachineBench()
        bench.register(10, slots: 8)
        bench.tell { machine, _, _ in _ = machine.clientJoined(other, name: "other") }
        for stream in 1...5 {
            bench.submit("k\(stream)", number: UInt64(stream), by: stream == 3 ? other : MachineBench.client, credit: 4)
        }
        func step(_ rows: [(UInt64, UInt32, Range<Int>)]) -> (kept: [String], sent: [UInt64: [String]]) {
            bench.tell { $0.stepReceived(report(rows), from: MachineBench.peer(10), at: $1, into: &$2) }
            let sent = bench.turn.clients.map { ($0.peer.rawValue, tokens(bench.turn.outgoing[$0.place])) }
            return (bench.turn.tokens.flatMap(tokens), Dictionary(uniqueKeysWithValues: sent))
        }
        // Neighbouring rows go on whole.
        let whole = step([(1, 1, 0..<2), (2, 1, 0..<1), (3, 1, 0..<2), (4, 1, 0..<1), (5, 1, 0..<1)])
        #expect(whole.kept == ["1.0", "1.1", "2.0", "3.0", "3.1", "4.0", "5.0"])
        #expect(whole.sent == [1: ["1.0", "1.1", "2.0", "4.0", "5.0"], 2: ["3.0", "3.1"]])
        // Token 1.1 comes twice, epoch 7 is nobody's, and 5's credit ends within its row.
        let mixed = step([(2, 1, 1..<2), (1, 1, 1..<3), (4, 7, 1..<2), (3, 1, 2..<3), (5, 1, 1..<6)])
        #expect(mixed.kept == ["2.1", "1.2", "3.2", "5.1", "5.2", "5.3", "5.4", "5.5"])
        #expect(mixed.sent == [1: ["2.1", "1.2", "5.1", "5.2", "5.3"], 2: ["3.2"]])
        // What a client of streams without details gets has no columns for them.
        let plain = step([(3, 1, 3..<4), (4, 1, 1..<2), (2, 1, 2..<3)])
        #expect(plain.sent[1] == ["4.1", "2.2"])
        let place = bench.turn.clients.first { $0.peer == MachineBench.client }?.place
        #expect(place.map { bench.turn.outgoing[$0].hasDetails } == false)
    }
}
