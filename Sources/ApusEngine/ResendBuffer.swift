package import ApusModel

/// The tokens of one attempt that are not acknowledged yet, so that they can be sent again after a reconnect.
///
/// Bounded by the attempt's credit: a stream pauses at its limit, and the limit is granted with the acknowledgement.
package struct ResendBuffer: Sendable {
    /// Tokens of a row that is sent again; it keeps every row far below a frame.
    private static let rowTokens = 1_024

    /// The index of the first token that is kept.
    package private(set) var firstIndex: Int

    /// A kept token in 16 bytes, so that keeping one is a single append.
    private struct Entry {
        static let shortText = 8

        var id: Int32
        var textLength: UInt32
        /// A short text's bytes, the first in the lowest 8 bits; longer texts lie in `longTexts`.
        var shortText: UInt64 = 0
    }

    private var entries: [Entry] = []
    /// The texts of more than 8 bytes, back to back.
    private var longTexts: [UInt8] = []

    /// Starts with no tokens; the first to come has this index.
    package init(firstIndex: Int) {
        self.firstIndex = firstIndex
    }

    /// The index after the last token that is kept.
    package var endIndex: Int { firstIndex + entries.count }

    /// Keeps the next token; its text is the end of `source` from `start` on.
    package mutating func append(_ token: TokenID, text source: [UInt8], from start: Int) {
        var entry = Entry(id: token.rawValue, textLength: UInt32(source.count - start))
        if entry.textLength <= Entry.shortText {
            for place in start..<source.count {
                entry.shortText |= UInt64(source[place]) << UInt64(8 * (place - start))
            }
        } else {
            longTexts.append(contentsOf: source[start...])
        }
        entries.append(entry)
    }

    /// Forgets the tokens before an index; one beyond the end forgets all.
    package mutating func acknowledge(through index: Int) {
        let count = min(index - firstIndex, entries.count)
        guard count > 0 else { return }
        let bytes = entries[..<count].reduce(0) { $1.textLength > Entry.shortText ? $0 + Int($1.textLength) : $0 }
        entries.removeFirst(count)
        longTexts.removeFirst(bytes)
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
        var long = 0
        for entry in entries {
            columns.ids.append(entry.id)
            columns.textLengths.append(entry.textLength)
            let length = Int(entry.textLength)
            if length <= Entry.shortText {
                for place in 0..<length {
                    columns.text.append(UInt8(truncatingIfNeeded: entry.shortText >> UInt64(8 * place)))
                }
            } else {
                columns.text.append(contentsOf: longTexts[long..<long + length])
                long += length
            }
        }
    }
}
