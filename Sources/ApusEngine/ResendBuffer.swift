package import ApusModel

/// The tokens of one attempt that are not acknowledged yet, so that they can be sent again after a reconnect.
///
/// Bounded by the attempt's credit: a stream pauses at its limit, and the limit is granted with the acknowledgement.
package struct ResendBuffer: Sendable {
    /// Tokens of a row that is sent again; it keeps every row far below a frame.
    private static let rowTokens = 1_024

    /// The index of the first token that is kept.
    package private(set) var firstIndex: Int

    /// A kept token.
    private struct Entry {
        var id: Int32
        var textLength: UInt32
    }

    private var entries: [Entry] = []
    private var text: [UInt8] = []

    /// Starts with no tokens; the first to come has this index.
    package init(firstIndex: Int) {
        self.firstIndex = firstIndex
    }

    /// The index after the last token that is kept.
    package var endIndex: Int { firstIndex + entries.count }

    /// Keeps the next token; its text is the end of `source` from `start` on.
    package mutating func append(_ token: TokenID, text source: [UInt8], from start: Int) {
        entries.append(Entry(id: token.rawValue, textLength: UInt32(source.count - start)))
        text.append(contentsOf: source[start...])
    }

    /// Forgets the tokens before an index; one beyond the end forgets all.
    package mutating func acknowledge(through index: Int) {
        let count = min(index - firstIndex, entries.count)
        guard count > 0 else { return }
        let bytes = entries[..<count].reduce(0) { $0 + Int($1.textLength) }
        entries.removeFirst(count)
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
        while row < entries.count {
            let end = min(row + Self.rowTokens, entries.count)
            columns.streams.append(stream.rawValue)
            columns.epochs.append(epoch.rawValue)
            columns.firstIndexes.append(UInt64(firstIndex + row))
            columns.counts.append(UInt32(end - row))
            row = end
        }
        for entry in entries {
            columns.ids.append(entry.id)
            columns.textLengths.append(entry.textLength)
        }
        columns.text.append(contentsOf: text)
    }
}
