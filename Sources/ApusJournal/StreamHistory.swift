import ApusModel

/// The tokens of one stream from index 0, in three arrays.
struct StreamHistory {
    private(set) var ids: [Int32] = []

    /// Where each token's text ends in `text`.
    private var textEnds: [UInt32] = []
    private var text: [UInt8] = []

    var count: Int { ids.count }

    mutating func append(_ columns: TokenColumns, firstToken: Int, count: Int, firstByte: Int) {
        var byte = firstByte
        for token in firstToken..<firstToken + count {
            let end = byte + Int(columns.textLengths[token])
            for position in byte..<end { text.append(columns.text[position]) }
            byte = end
            ids.append(columns.ids[token])
            textEnds.append(UInt32(text.count))
        }
    }

    func read(_ range: Range<Int>, of stream: StreamID, into columns: inout TokenColumns) {
        columns.streams.append(stream.rawValue)
        columns.firstIndexes.append(UInt64(range.lowerBound))
        columns.counts.append(UInt32(range.count))
        columns.ids.append(contentsOf: ids[range])
        var start = range.lowerBound == 0 ? 0 : textEnds[range.lowerBound - 1]
        let first = Int(start)
        for token in range {
            columns.textLengths.append(textEnds[token] - start)
            start = textEnds[token]
        }
        columns.text.append(contentsOf: text[first..<Int(start)])
    }
}
