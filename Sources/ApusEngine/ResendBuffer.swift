package import ApusModel

/// The tokens of one attempt that are not acknowledged yet, so that they can be sent again after a reconnect.
///
/// Bounded by the attempt's credit: a stream pauses at its limit, and the limit is granted with the acknowledgement.
package struct ResendBuffer: Sendable {
    /// Tokens of a row that is sent again; it keeps every row far below a frame.
    private static let rowTokens = 1_024

    /// The index of the first token that is kept.
    package private(set) var firstIndex: Int

    private var ids: [Int32] = []
    private var textLengths: [UInt32] = []
    private var text: [UInt8] = []

    /// Starts with no tokens; the first to come has this index.
    package init(firstIndex: Int) {
        self.firstIndex = firstIndex
    }

    /// The index after the last token that is kept.
    package var endIndex: Int { firstIndex + ids.count }

    /// Keeps the next token; its text is the end of `source` from `start` on.
    package mutating func append(_ token: TokenID, text source: borrowing [UInt8], from start: Int) {
        ids.append(token.rawValue)
        textLengths.append(UInt32(source.count - start))
        for place in start..<source.count { text.append(source[place]) }
    }

    /// Forgets the tokens before an index; one beyond the end forgets all.
    package mutating func acknowledge(through index: Int) {
        let count = min(index - firstIndex, ids.count)
        guard count > 0 else { return }
        let bytes = textLengths[..<count].reduce(0) { $0 + Int($1) }
        ids.removeFirst(count)
        textLengths.removeFirst(count)
        text.removeFirst(bytes)
        firstIndex += count
    }

    /// Writes what is kept as rows, in order.
    ///
    /// - Parameters:
    ///   - stream: The stream of the rows.
    ///   - epoch: The epoch of the rows.
    ///   - columns: Receives the rows.
    package func write(stream: StreamID, epoch: Epoch, to columns: inout TokenColumns) {
        var row = 0
        while row < ids.count {
            let end = min(row + Self.rowTokens, ids.count)
            columns.streams.append(stream.rawValue)
            columns.epochs.append(epoch.rawValue)
            columns.firstIndexes.append(UInt64(firstIndex + row))
            columns.counts.append(UInt32(end - row))
            row = end
        }
        columns.ids.append(contentsOf: ids)
        columns.textLengths.append(contentsOf: textLengths)
        columns.text.append(contentsOf: text)
    }
}
