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

    /// The lengths of the kept tokens' details, without the last tokens' that have none; empty where none has any.
    private var detailLengths: [UInt32] = []

    /// The details of the kept tokens, back to back.
    private var details: [UInt8] = []

    /// The first tokens, and the bytes of their texts and details, that have been taken.
    private var taken = 0
    private var takenBytes = 0
    private var takenDetails = 0

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

    /// Keeps the next token with its details.
    ///
    /// - Parameters:
    ///   - token: The token.
    ///   - start: Where its text begins in `text`.
    ///   - detail: Its details, as `TokenDetail.encode(into:)` writes them; none where it is empty.
    package mutating func append(_ token: TokenID, textFrom start: Int, detail: [UInt8]) {
        precondition(detail.count <= Limits.tokenDetailBytes, "a token's details have \(detail.count) bytes")
        if !detail.isEmpty {
            detailLengths.pad(to: tokens.count)
            detailLengths.append(UInt32(detail.count))
            details.append(contentsOf: detail)
        }
        append(token, textFrom: start)
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
        if !detailLengths.isEmpty { forgetDetails(count) }
    }

    private mutating func forgetDetails(_ count: Int) {
        let known = min(count, detailLengths.count)
        let bytes = detailLengths[..<known].reduce(0) { $0 + Int($1) }
        detailLengths.removeFirst(known)
        details.removeFirst(bytes)
        takenDetails = max(0, takenDetails - bytes)
    }

    /// Offers every kept token once more.
    package mutating func rewind() {
        taken = 0
        takenBytes = 0
        takenDetails = 0
    }

    /// Writes what has not been taken as rows, in order.
    ///
    /// - Parameters:
    ///   - limit: Tokens from this index on stay.
    ///   - stream: The stream of the rows.
    ///   - epoch: The epoch of the rows.
    ///   - columns: Receives the rows.
    package mutating func take(before limit: Int, stream: StreamID, epoch: Epoch, into columns: inout TokenColumns) {
        let last = min(tokens.count, limit - firstIndex)
        guard taken < last else { return }
        var row = taken
        while row < last {
            let end = min(row + Self.rowTokens, last)
            columns.streams.append(stream.rawValue)
            columns.epochs.append(epoch.rawValue)
            columns.firstIndexes.append(UInt64(firstIndex + row))
            columns.counts.append(UInt32(end - row))
            row = end
        }
        columns.ids.append(contentsOf: tokens[taken..<last].lazy.map { $0.id })
        columns.textLengths.append(contentsOf: tokens[taken..<last].lazy.map { $0.textLength })
        let end =
            last == tokens.count
            ? text.count : tokens[taken..<last].reduce(takenBytes) { $0 + Int($1.textLength) }
        columns.text.append(contentsOf: text[takenBytes..<end])
        if columns.hasDetails || !detailLengths.isEmpty { takeDetails(before: last, into: &columns) }
        taken = last
        takenBytes = end
    }

    /// Writes the details of the tokens from `taken` up to a place, which have been written themselves.
    private mutating func takeDetails(before end: Int, into columns: inout TokenColumns) {
        let known = (taken..<end).clamped(to: 0..<detailLengths.count)
        let bytes = detailLengths[known].reduce(0) { $0 + Int($1) }
        columns.appendDetails(
            detailLengths[known],
            details[takenDetails..<takenDetails + bytes],
            count: end - taken
        )
        takenDetails += bytes
    }
}
