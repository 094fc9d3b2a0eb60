package import ApusModel

/// The tokens of one attempt that are not acknowledged yet: those that wait to be taken, and those that may have to be sent again
/// after a reconnect.
///
/// They lie here only, so that a step costs two appends a token, and the tokens of many steps are taken as one row a stream.
/// Bounded by the attempt's credit: a stream pauses at its limit, and the limit is granted with the acknowledgement.
package struct ResendBuffer: Sendable {
    /// Tokens of a row; it keeps every row far below a frame.
    private static let rowTokens = 1_024

    /// The index of the first token that is kept.
    package private(set) var firstIndex: Int

    /// A kept token; one array of both, so that keeping a token checks and grows one.
    private struct Kept {
        var id: Int32
        var textLength: UInt32
    }

    private var tokens: [Kept] = []

    /// The texts of the kept tokens, back to back; a new token's text is appended here before `append` keeps the token.
    package var text: [UInt8] = []

    /// The first tokens, and the bytes of their texts, that have been taken.
    private var taken = 0
    private var takenBytes = 0

    /// Starts with no tokens; the first to come has this index.
    package init(firstIndex: Int) {
        self.firstIndex = firstIndex
    }

    /// The index after the last token that is kept.
    package var endIndex: Int { firstIndex + tokens.count }

    /// Whether every kept token has been taken.
    package var isTaken: Bool { taken == tokens.count }

    /// Keeps the next token.
    ///
    /// - Parameters:
    ///   - token: The token.
    ///   - start: Where its text begins in `text`.
    package mutating func append(_ token: TokenID, textFrom start: Int) {
        tokens.append(Kept(id: token.rawValue, textLength: UInt32(text.count - start)))
    }

    /// Forgets the tokens before an index; one beyond the end forgets all.
    package mutating func acknowledge(through index: Int) {
        let count = min(index - firstIndex, tokens.count)
        guard count > 0 else { return }
        let bytes = tokens[..<count].reduce(0) { $0 + Int($1.textLength) }
        tokens.removeFirst(count)
        text.removeFirst(bytes)
        firstIndex += count
        taken = max(0, taken - count)
        takenBytes = max(0, takenBytes - bytes)
    }

    /// Offers every kept token once more.
    package mutating func rewind() {
        taken = 0
        takenBytes = 0
    }

    /// Writes what has not been taken as rows, in order.
    ///
    /// - Parameters:
    ///   - stream: The stream of the rows.
    ///   - epoch: The epoch of the rows.
    ///   - columns: Receives the rows.
    package mutating func take(stream: StreamID, epoch: Epoch, into columns: inout TokenColumns) {
        guard !isTaken else { return }
        var row = taken
        while row < tokens.count {
            let end = min(row + Self.rowTokens, tokens.count)
            columns.streams.append(stream.rawValue)
            columns.epochs.append(epoch.rawValue)
            columns.firstIndexes.append(UInt64(firstIndex + row))
            columns.counts.append(UInt32(end - row))
            row = end
        }
        columns.ids.append(contentsOf: tokens[taken...].lazy.map { $0.id })
        columns.textLengths.append(contentsOf: tokens[taken...].lazy.map { $0.textLength })
        columns.text.append(contentsOf: text[takenBytes...])
        taken = tokens.count
        takenBytes = text.count
    }
}
