import ApusModel

/// The tokens of one stream from index 0, in three arrays, and two more where any has details.
struct StreamHistory {
    private(set) var ids: [Int32] = []

    /// Where each token's text ends in `text`.
    private var textEnds: [UInt32] = []
    private var text: [UInt8] = []

    /// Where each token's details end in `details`; may end before the last token where the rest has none.
    private var detailEnds: [UInt32] = []
    private var details: [UInt8] = []

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

    /// Appends the details of the tokens that were appended last, which begin at a byte, and returns where they end.
    mutating func appendDetails(_ columns: borrowing TokenColumns, tokens: Range<Int>, firstByte: Int) -> Int {
        let bytes = columns.detailBytes(of: tokens)
        guard bytes > 0 else { return firstByte }
        padDetails(to: count - tokens.count)
        var end = UInt32(details.count)
        for token in tokens {
            end += columns.detailLengths[token]
            detailEnds.append(end)
        }
        details.append(contentsOf: columns.details[firstByte..<firstByte + bytes])
        return firstByte + bytes
    }

    private mutating func padDetails(to count: Int) {
        let missing = count - detailEnds.count
        if missing > 0 { detailEnds.append(contentsOf: repeatElement(UInt32(details.count), count: missing)) }
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
        if columns.hasDetails || !detailEnds.isEmpty { readDetails(range, into: &columns) }
    }

    private func readDetails(_ range: Range<Int>, into columns: inout TokenColumns) {
        let known = range.clamped(to: 0..<detailEnds.count)
        let first = known.lowerBound == 0 ? 0 : detailEnds[known.lowerBound - 1]
        var start = first
        var lengths: [UInt32] = []
        lengths.reserveCapacity(known.count)
        for token in known {
            lengths.append(detailEnds[token] - start)
            start = detailEnds[token]
        }
        columns.appendDetails(lengths[...], details[Int(first)..<Int(start)], count: range.count)
    }
}
