import ApusModel

/// Consecutive tokens of one row of columns: where they stand, and where their texts and details do.
struct TokenRun {
    var firstToken: Int
    var endToken: Int
    var firstByte: Int
    var endByte: Int
    var firstDetail: Int
    var endDetail: Int

    var count: Int { endToken - firstToken }

    /// The tokens of a row that begins at a token, a byte of text and one of details.
    init(startingAt token: Int, byte: Int, detail: Int, count: Int, of rows: TokenColumns) {
        firstToken = token
        endToken = token + count
        firstByte = byte
        endByte = byte
        for place in token..<endToken { endByte += Int(rows.textLengths[place]) }
        firstDetail = detail
        endDetail = detail + rows.detailBytes(of: token..<endToken)
    }

    /// The run without its first `skip` tokens.
    func dropping(_ skip: Int, of rows: TokenColumns) -> TokenRun {
        var rest = self
        for _ in 0..<skip {
            rest.firstByte += Int(rows.textLengths[rest.firstToken])
            rest.firstToken += 1
        }
        rest.firstDetail += rows.detailBytes(of: firstToken..<rest.firstToken)
        return rest
    }

    /// The run's first `length` tokens.
    func prefix(_ length: Int, of rows: TokenColumns) -> TokenRun {
        guard length < count else { return self }
        return TokenRun(startingAt: firstToken, byte: firstByte, detail: firstDetail, count: length, of: rows)
    }
}

/// Neighbouring rows that go whole to one client.
struct RelayRun {
    private(set) var client: Int?
    private var outgoing = 0
    private var rows = 0..<0
    private var firstToken = 0
    private var endToken = 0
    private var firstByte = 0
    private var endByte = 0
    private var firstDetail = 0
    private var endDetail = 0

    mutating func begin(_ client: Int, _ outgoing: Int, row: Int, _ run: TokenRun) {
        self.client = client
        self.outgoing = outgoing
        rows = row..<row
        firstToken = run.firstToken
        firstByte = run.firstByte
        firstDetail = run.firstDetail
    }

    mutating func extend(through row: Int, _ run: TokenRun) {
        rows = rows.lowerBound..<row + 1
        endToken = run.endToken
        endByte = run.endByte
        endDetail = run.endDetail
    }

    /// Hands the rows over and is empty again.
    mutating func flush(_ columns: TokenColumns, into turn: inout Turn) {
        guard client != nil else { return }
        client = nil
        turn.outgoing[outgoing].append(
            rows,
            of: columns,
            tokens: firstToken..<endToken,
            bytes: firstByte..<endByte,
            details: firstDetail..<endDetail
        )
    }
}

/// The rows of a step without what was not taken; the step's own columns where everything was.
struct KeptRows {
    private var kept = TokenColumns()

    /// Whether anything was left out so far; an optional in its place would be copied to be looked at.
    private var isCut = false

    mutating func note(_ row: Int, _ run: TokenRun, skip: Int, of rows: TokenColumns) {
        if isCut || skip > 0 { keep(row, run, skip: skip, of: rows) }
    }

    private mutating func keep(_ row: Int, _ run: TokenRun, skip: Int, of rows: TokenColumns) {
        if !isCut {
            kept.append(
                0..<row,
                of: rows,
                tokens: 0..<run.firstToken,
                bytes: 0..<run.firstByte,
                details: 0..<run.firstDetail
            )
            // The journal keeps epochs, which clients are not told.
            kept.epochs = Array(rows.epochs[..<row])
            isCut = true
        }
        guard skip < run.count else { return }
        kept.append(
            run.dropping(skip, of: rows),
            of: rows,
            stream: rows.streams[row],
            firstIndex: rows.firstIndexes[row] + UInt64(skip)
        )
        kept.epochs.append(rows.epochs[row])
    }

    func finish(_ rows: TokenColumns) -> TokenColumns { isCut ? kept : rows }
}

extension TokenColumns {
    /// Adds a run of other columns as a row, without an epoch.
    mutating func append(_ run: TokenRun, of rows: TokenColumns, stream: UInt64, firstIndex: UInt64) {
        streams.append(stream)
        firstIndexes.append(firstIndex)
        counts.append(UInt32(run.count))
        ids.append(contentsOf: rows.ids[run.firstToken..<run.endToken])
        textLengths.append(contentsOf: rows.textLengths[run.firstToken..<run.endToken])
        text.append(contentsOf: rows.text[run.firstByte..<run.endByte])
        appendDetails(of: rows, tokens: run.firstToken..<run.endToken, bytes: run.firstDetail..<run.endDetail)
    }

    /// Adds neighbouring rows of other columns, without their epochs; all of them at no cost where there is nothing yet.
    mutating func append(
        _ range: Range<Int>,
        of other: TokenColumns,
        tokens: Range<Int>,
        bytes: Range<Int>,
        details: Range<Int>
    ) {
        if isEmpty, range == 0..<other.rows {
            self = other
            epochs = []
            return
        }
        streams.append(contentsOf: other.streams[range])
        firstIndexes.append(contentsOf: other.firstIndexes[range])
        counts.append(contentsOf: other.counts[range])
        ids.append(contentsOf: other.ids[tokens])
        textLengths.append(contentsOf: other.textLengths[tokens])
        text.append(contentsOf: other.text[bytes])
        appendDetails(of: other, tokens: tokens, bytes: details)
    }
}
