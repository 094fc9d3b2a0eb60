import ApusModel

/// The tokens of one stream from index 0, in three arrays.
struct StreamHistory {
    private(set) var ids: [Int32] = []

    /// Where each token's text ends in `text`.
    private var textEnds: [UInt32] = []
    private var text: [UInt8] = []

    var count: Int { ids.count }

    /// Appends tokens of a row whose text begins at a byte, and returns where it ends.
    mutating func append(_ columns: TokenColumns, tokens: Range<Int>, firstByte: Int) -> Int {
        var length = 0
        for token in tokens {
            ids.append(columns.ids[token])
            length += Int(columns.textLengths[token])
            textEnds.append(UInt32(text.count + length))
        }
        text.append(contentsOf: columns.text[firstByte..<firstByte + length])
        return firstByte + length
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
