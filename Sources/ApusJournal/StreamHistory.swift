import ApusModel

/// The tokens of one stream from index 0, in three arrays.
struct StreamHistory {
    private(set) var ids: [Int32] = []

    /// Where each token's text ends in `text`.
    private var textEnds: [UInt32] = []
    private var text: [UInt8] = []

    var count: Int { ids.count }

    /// Appends tokens of a row whose text begins at a byte, and returns where it ends.
    mutating func append(_ columns: borrowing TokenColumns, tokens: Range<Int>, firstByte: Int) -> Int {
        var end = UInt32(text.count)
        // Most rows hold one token or few: element by element is cheaper than by slices, which are counted references.
        for token in tokens {
            end += columns.textLengths[token]
            ids.append(columns.ids[token])
            textEnds.append(end)
        }
        let lastByte = firstByte + Int(end) - text.count
        if lastByte - firstByte < 32 {
            for byte in firstByte..<lastByte { text.append(columns.text[byte]) }
        } else {
            text.append(contentsOf: columns.text[firstByte..<lastByte])
        }
        return lastByte
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
