import ApusModel

/// Consecutive tokens of one row of columns, with the place of their texts.
struct TokenRun {
    let rows: TokenColumns
    var firstToken: Int
    var endToken: Int
    var firstByte: Int
    var endByte: Int

    var count: Int { endToken - firstToken }

    /// The run without its first `skip` tokens.
    func dropping(_ skip: Int) -> TokenRun {
        guard skip > 0 else { return self }
        var rest = self
        for _ in 0..<skip {
            rest.firstByte += Int(rows.textLengths[rest.firstToken])
            rest.firstToken += 1
        }
        return rest
    }

    /// The run's first `length` tokens.
    func prefix(_ length: Int) -> TokenRun {
        var head = self
        head.endToken = firstToken + length
        head.endByte = firstByte
        for token in firstToken..<head.endToken { head.endByte += Int(rows.textLengths[token]) }
        return head
    }
}

extension TokenColumns {
    /// Adds a run as a row, without an epoch.
    mutating func append(_ run: TokenRun, stream: UInt64, firstIndex: UInt64) {
        streams.append(stream)
        firstIndexes.append(firstIndex)
        counts.append(UInt32(run.count))
        if run.count == 1 {
            ids.append(run.rows.ids[run.firstToken])
            textLengths.append(run.rows.textLengths[run.firstToken])
        } else {
            ids.append(contentsOf: run.rows.ids[run.firstToken..<run.endToken])
            textLengths.append(contentsOf: run.rows.textLengths[run.firstToken..<run.endToken])
        }
        text.append(contentsOf: run.rows.text[run.firstByte..<run.endByte])
    }

    /// Adds leading rows of other columns, without their epochs.
    mutating func append(rows range: Range<Int>, of other: TokenColumns, endToken: Int, endByte: Int) {
        streams.append(contentsOf: other.streams[range])
        firstIndexes.append(contentsOf: other.firstIndexes[range])
        counts.append(contentsOf: other.counts[range])
        ids.append(contentsOf: other.ids[..<endToken])
        textLengths.append(contentsOf: other.textLengths[..<endToken])
        text.append(contentsOf: other.text[..<endByte])
    }
}
