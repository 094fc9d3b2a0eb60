import ApusModel

/// Consecutive tokens of one row of columns: where they stand, and where their texts do.
struct TokenRun {
    var firstToken: Int
    var endToken: Int
    var firstByte: Int
    var endByte: Int

    var count: Int { endToken - firstToken }

    /// The tokens of a row that begins at a token and a byte.
    init(startingAt token: Int, byte: Int, count: Int, of rows: TokenColumns) {
        firstToken = token
        endToken = token + count
        firstByte = byte
        endByte = byte
        for place in token..<endToken { endByte += Int(rows.textLengths[place]) }
    }

    /// The run without its first `skip` tokens.
    func dropping(_ skip: Int, of rows: TokenColumns) -> TokenRun {
        var rest = self
        for _ in 0..<skip {
            rest.firstByte += Int(rows.textLengths[rest.firstToken])
            rest.firstToken += 1
        }
        return rest
    }

    /// The run's first `length` tokens.
    func prefix(_ length: Int, of rows: TokenColumns) -> TokenRun {
        guard length < count else { return self }
        return TokenRun(startingAt: firstToken, byte: firstByte, count: length, of: rows)
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

    mutating func begin(_ client: Int, _ outgoing: Int, row: Int, _ run: TokenRun) {
        self.client = client
        self.outgoing = outgoing
        rows = row..<row
        firstToken = run.firstToken
        firstByte = run.firstByte
    }

    mutating func extend(through row: Int, _ run: TokenRun) {
        rows = rows.lowerBound..<row + 1
        endToken = run.endToken
        endByte = run.endByte
    }

    /// Hands the rows over and is empty again.
    mutating func flush(_ columns: TokenColumns, into turn: inout Turn) {
        guard client != nil else { return }
        client = nil
        turn.outgoing[outgoing].append(
            rows,
            of: columns,
            tokens: firstToken..<endToken,
            bytes: firstByte..<endByte
        )
    }
}

/// The rows of a step without what was not taken; the step's own columns where everything was.
struct KeptRows {
    /// `nil` as long as everything was taken.
    private var kept: TokenColumns?

    mutating func note(_ row: Int, _ run: TokenRun, skip: Int, of rows: TokenColumns) {
        if skip == 0, kept == nil { return }
        if kept == nil {
            var leading = TokenColumns()
            leading.append(0..<row, of: rows, tokens: 0..<run.firstToken, bytes: 0..<run.firstByte)
            // The journal keeps epochs, which clients are not told.
            leading.epochs = Array(rows.epochs[..<row])
            kept = leading
        }
        guard skip < run.count else { return }
        kept?.append(
            run.dropping(skip, of: rows),
            of: rows,
            stream: rows.streams[row],
            firstIndex: rows.firstIndexes[row] + UInt64(skip)
        )
        kept?.epochs.append(rows.epochs[row])
    }

    func finish(_ rows: TokenColumns) -> TokenColumns { kept ?? rows }
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
    }

    /// Adds neighbouring rows of other columns, without their epochs; all of them at no cost where there is nothing yet.
    mutating func append(_ range: Range<Int>, of other: TokenColumns, tokens: Range<Int>, bytes: Range<Int>) {
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
    }
}
