import ApusModel

/// The tokens of one row of columns, and where their texts stand.
struct TokenPart {
    let tokens: Range<Int>
    let bytes: Range<Int>

    /// The part of a row whose tokens and texts begin at the given places.
    init(_ columns: TokenColumns, row: Int, token: Int, byte: Int) {
        tokens = token..<token + Int(columns.counts[row])
        bytes = byte..<byte + columns.textLengths[tokens].reduce(0) { $0 + Int($1) }
    }

    /// The row alone, under another epoch.
    func columns(of other: TokenColumns, row: Int, epoch: UInt32) -> TokenColumns {
        TokenColumns(
            streams: [other.streams[row]],
            epochs: [epoch],
            firstIndexes: [other.firstIndexes[row]],
            counts: [other.counts[row]],
            ids: Array(other.ids[tokens]),
            textLengths: Array(other.textLengths[tokens]),
            text: Array(other.text[bytes])
        )
    }

    /// Columns without epochs and without their first row.
    static func rest(after first: TokenPart, of columns: TokenColumns) -> TokenColumns {
        TokenColumns(
            streams: Array(columns.streams.dropFirst()),
            epochs: [],
            firstIndexes: Array(columns.firstIndexes.dropFirst()),
            counts: Array(columns.counts.dropFirst()),
            ids: Array(columns.ids[first.tokens.upperBound...]),
            textLengths: Array(columns.textLengths[first.tokens.upperBound...]),
            text: Array(columns.text[first.bytes.upperBound...])
        )
    }
}
