import ApusModel

/// Consecutive tokens of one stream, in three arrays, and two more where any has details; places count from the first of them.
struct StreamHistory {
    private(set) var ids: [Int32] = []

    /// Where each token's text ends in `text`.
    private var textEnds: [UInt32] = []
    private var text: [UInt8] = []

    /// Where each token's details end in `details`; may end before the last token where the rest has none.
    private var detailEnds: [UInt32] = []
    private var details: [UInt8] = []

    var count: Int { ids.count }

    /// Bytes of the tokens with their texts and details.
    var bytes: Int { ids.count * 8 + text.count + details.count }

    /// Drops the last tokens, down to a count.
    mutating func truncate(to count: Int) {
        guard count < self.count else { return }
        text.removeLast(text.count - (count == 0 ? 0 : Int(textEnds[count - 1])))
        ids.removeLast(ids.count - count)
        textEnds.removeLast(textEnds.count - count)
        guard count < detailEnds.count else { return }
        details.removeLast(details.count - (count == 0 ? 0 : Int(detailEnds[count - 1])))
        detailEnds.removeLast(detailEnds.count - count)
    }

    /// Where a piece ends that begins at a token and has at most so many tokens and about so many bytes.
    func endOfPiece(from first: Int, tokens: Int, bytes: Int) -> Int {
        let most = min(count, first + tokens)
        guard self.bytes > bytes else { return most }
        var size = 0
        for token in first..<most {
            size += 8 + length(of: token, textEnds) + (token < detailEnds.count ? length(of: token, detailEnds) : 0)
            if size >= bytes { return token + 1 }
        }
        return most
    }

    private func length(of token: Int, _ ends: borrowing [UInt32]) -> Int {
        Int(ends[token]) - (token == 0 ? 0 : Int(ends[token - 1]))
    }

    /// Drops all tokens; their memory stays for the next ones where that is wanted and it is of the usual size.
    mutating func removeAll(keepingMemory keeps: Bool) {
        let keeps = keeps && text.capacity <= 32_768
        ids.removeAll(keepingCapacity: keeps)
        textEnds.removeAll(keepingCapacity: keeps)
        text.removeAll(keepingCapacity: keeps)
        detailEnds.removeAll(keepingCapacity: false)
        details.removeAll(keepingCapacity: false)
    }

    /// Appends tokens of a row whose text begins at a byte, and returns where it ends.
    mutating func append(_ columns: borrowing TokenColumns, tokens: Range<Int>, firstByte: Int) -> Int {
        var end = UInt32(text.count)
        if tokens.count >= 8 { return appendMany(columns, tokens: tokens, firstByte: firstByte) }
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

    /// Appends a long row, column by column.
    private mutating func appendMany(
        _ columns: borrowing TokenColumns,
        tokens: Range<Int>,
        firstByte: Int
    ) -> Int {
        ids.append(contentsOf: columns.ids[tokens])
        textEnds.append(contentsOf: columns.textLengths[tokens])
        let first = textEnds.count - tokens.count
        let before = UInt32(text.count)
        let end = textEnds.withUnsafeMutableBufferPointer { ends in
            var end = before
            for place in first..<ends.count {
                end += ends[place]
                ends[place] = end
            }
            return end
        }
        let lastByte = firstByte + Int(end - before)
        text.append(contentsOf: columns.text[firstByte..<lastByte])
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
        readTokens(range, into: &columns)
    }

    /// Appends the tokens alone: the row is the caller's.
    func readTokens(_ range: Range<Int>, into columns: inout TokenColumns) {
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
