import ApusModel
import Testing

/// Columns of one row, from a token's text and details each.
private func row(
    _ stream: UInt64,
    from first: Int = 0,
    epoch: UInt32? = nil,
    _ tokens: [(text: String, detail: [UInt8])]
) -> TokenColumns {
    var columns = TokenColumns()
    columns.streams = [stream]
    columns.epochs = epoch.map { [$0] } ?? []
    columns.firstIndexes = [UInt64(first)]
    columns.counts = [UInt32(tokens.count)]
    for (place, token) in tokens.enumerated() {
        columns.ids.append(Int32(first + place))
        columns.textLengths.append(UInt32(token.text.utf8.count))
        columns.text += Array(token.text.utf8)
        columns.appendDetails([UInt32(token.detail.count)], token.detail[...], count: 1)
    }
    return columns
}

/// Other columns behind these.
private func joined(_ parts: [TokenColumns]) -> TokenColumns {
    var all = TokenColumns()
    for part in parts {
        all.streams += part.streams
        all.epochs += part.epochs
        all.firstIndexes += part.firstIndexes
        all.counts += part.counts
        all.ids += part.ids
        all.textLengths += part.textLengths
        all.text += part.text
        all.appendDetails(of: part, tokens: 0..<part.tokens, bytes: 0..<part.details.count)
    }
    return all
}

@Suite struct TokenColumnsTests {
    @Test func `Columns without details stay without, whatever is added`() {
        let plain = row(1, [("a", []), ("b", [])])
        #expect(plain.detailLengths.isEmpty)
        #expect(joined([plain, plain]).detailLengths.isEmpty)
        #expect(joined([plain, plain]).isValid)
        var some = row(2, [("c", [9]), ("d", [])])
        // A part of mixed columns whose tokens have none needs no lengths either.
        var part = TokenColumns()
        part.ids = [some.ids[1]]
        part.appendDetails(of: some, tokens: 1..<2, bytes: 1..<1)
        #expect(part.detailLengths.isEmpty)
        some.removeAll()
        #expect(some == TokenColumns())
    }

    @Test func `Columns with and without details are padded where they meet`() {
        let plain = row(1, [("a", []), ("b", [])])
        let detailed = row(2, [("c", [7, 8]), ("d", []), ("e", [9])])
        let all = joined([plain, detailed, plain])
        #expect(all.detailLengths == [0, 0, 2, 0, 1, 0, 0])
        #expect(all.details == [7, 8, 9])
        #expect(all.isValid)
    }

    @Test func `Details that do not add up are not valid`() {
        let columns = row(1, [("a", [1, 2]), ("b", [3])])
        #expect(columns.isValid)
        for spoil: (inout TokenColumns) -> Void in [
            { $0.detailLengths = [] }, { $0.detailLengths = [3] }, { $0.detailLengths = [2, 1, 0] },
            { $0.details = [] },
            { $0.detailLengths = [2, 4_000_000_000] }, { $0.detailLengths = [.max, .max] }, { $0.details.append(4) },
            {
                $0.detailLengths = [UInt32(Limits.tokenDetailBytes) + 1, 0]
                $0.details = Array(repeating: 0, count: Limits.tokenDetailBytes + 1)
            },
        ] {
            var spoiled = columns
            spoil(&spoiled)
            #expect(!spoiled.isValid)
        }
        var longest = columns
        longest.detailLengths = [UInt32(Limits.tokenDetailBytes), 0]
        longest.details = Array(repeating: 0, count: Limits.tokenDetailBytes)
        #expect(longest.isValid)
    }

    @Test(arguments: [1, 2, 3, 5, 8, 100], [1, 4, 9, 1_000])
    func `Parts joined again are the whole`(tokens: Int, bytes: Int) {
        let whole = joined([
            row(1, from: 3, epoch: 1, [("a", []), ("bcd", []), ("", [])]),
            row(2, epoch: 4, [("e", [1, 2, 3]), ("fghij", []), ("k", [4])]),
            row(1, from: 6, epoch: 1, [("l", [])]),
        ])
        let parts = whole.split(tokens: tokens, bytes: bytes)
        for part in parts {
            #expect(part.isValid)
            #expect(part.tokens <= tokens)
            // A part ends with the token that reaches the bound.
            let last = part.tokens - 1
            let lastBytes = Int(part.textLengths[last]) + (part.hasDetails ? Int(part.detailLengths[last]) + 3 : 0)
            let content = part.text.count + part.details.count + 3 * part.detailLengths.count
            #expect(part.tokens == 1 || content - lastBytes < bytes)
        }
        func lines(of columns: [TokenColumns]) -> [String] {
            columns.flatMap { columns in
                var (token, byte, detail) = (0, 0, 0)
                var found: [String] = []
                for row in 0..<columns.rows {
                    for place in 0..<Int(columns.counts[row]) {
                        let text = byte..<byte + Int(columns.textLengths[token])
                        let length = columns.hasDetails ? Int(columns.detailLengths[token]) : 0
                        let head =
                            "\(columns.streams[row]).\(columns.epochs[row]).\(Int(columns.firstIndexes[row]) + place)"
                        found.append(
                            "\(head) \(columns.ids[token]) \(columns.text[text]) \(columns.details[detail..<detail + length])"
                        )
                        (token, byte, detail) = (token + 1, text.upperBound, detail + length)
                    }
                }
                return found
            }
        }
        #expect(lines(of: parts) == lines(of: [whole]))
    }

    @Test func `Details are encoded within their limit and are never nothing`() {
        var bytes: [UInt8] = []
        TokenDetail(logprob: 0).encode(into: &bytes)
        #expect(!bytes.isEmpty)
        let worst = TokenDetail.Alternative(
            id: TokenID(rawValue: -1),
            logprob: -.infinity,
            text: Array(repeating: 0xff, count: 1 << 20)
        )
        bytes = []
        TokenDetail(logprob: -.infinity, top: Array(repeating: worst, count: 1_000)).encode(into: &bytes)
        #expect(bytes.count <= Limits.tokenDetailBytes)
    }
}
