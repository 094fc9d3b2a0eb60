/// Tokens of many streams, by columns: one row a run of consecutive tokens of one stream.
///
/// This is the form in which tokens travel and are stored from the engine step to the client: it costs a few array
/// appends a token, and an engine step or a coordinator turn is one value however many streams moved.
/// Invariant of a valid value: `streams`, `firstIndexes`, `counts` have one element a row, `epochs` one or none at all;
/// `ids` and `textLengths` have one element a token, in row order; `text` holds the texts back to back.
public struct TokenColumns: Hashable, Sendable {
    /// The stream of each row.
    public var streams: [UInt64] = []

    /// The epoch of each row; empty where epochs do not matter (towards clients).
    public var epochs: [UInt32] = []

    /// The index of each row's first token.
    public var firstIndexes: [UInt64] = []

    /// The number of tokens of each row, 1 or more.
    public var counts: [UInt32] = []

    /// The vocabulary number of each token.
    public var ids: [Int32] = []

    /// The length in bytes of each token's text; 0 for a token whose text comes with a later one or is hidden.
    public var textLengths: [UInt32] = []

    /// The texts, back to back; every row's text is whole UTF-8.
    public var text: [UInt8] = []

    /// No rows.
    public init() {}

    /// Takes columns as they come from a peer; `validate` says whether they agree.
    public init(
        streams: [UInt64],
        epochs: [UInt32],
        firstIndexes: [UInt64],
        counts: [UInt32],
        ids: [Int32],
        textLengths: [UInt32],
        text: [UInt8]
    ) {
        self.streams = streams
        self.epochs = epochs
        self.firstIndexes = firstIndexes
        self.counts = counts
        self.ids = ids
        self.textLengths = textLengths
        self.text = text
    }

    /// The number of rows.
    public var rows: Int { streams.count }

    /// The number of tokens.
    public var tokens: Int { ids.count }

    /// Whether there is no row.
    public var isEmpty: Bool { streams.isEmpty }

    /// Whether the columns agree with each other in length and keep to the limits, so that every row and text can be read
    /// without a check.
    public var isValid: Bool {
        guard firstIndexes.count == rows, counts.count == rows, epochs.isEmpty || epochs.count == rows,
            textLengths.count == tokens
        else { return false }
        var counted: UInt64 = 0
        for count in counts {
            guard count > 0 else { return false }
            counted += UInt64(count)
        }
        guard counted == UInt64(tokens) else { return false }
        var bytes: UInt64 = 0
        var longest: UInt32 = 0
        for length in textLengths {
            bytes += UInt64(length)
            longest = max(longest, length)
        }
        guard bytes == UInt64(text.count), longest <= UInt32(Limits.tokenTextBytes) else { return false }
        var bits: Int32 = 0
        for id in ids { bits |= id }
        return bits >= 0 && firstIndexes.allSatisfy { $0 <= UInt64(Limits.maximumTokens) }
    }

    /// Removes every row and keeps the memory.
    public mutating func removeAll() {
        streams.removeAll(keepingCapacity: true)
        epochs.removeAll(keepingCapacity: true)
        firstIndexes.removeAll(keepingCapacity: true)
        counts.removeAll(keepingCapacity: true)
        ids.removeAll(keepingCapacity: true)
        textLengths.removeAll(keepingCapacity: true)
        text.removeAll(keepingCapacity: true)
    }

    /// The columns in parts of bounded size, in order; a single part where they are within the bounds.
    ///
    /// - Parameters:
    ///   - limit: The most tokens of a part; a longer row is cut.
    ///   - textBytes: Bytes of text after which a part ends with the token that reached them.
    /// - Returns: The parts; none for empty columns.
    public func split(tokens limit: Int, textBytes: Int) -> [TokenColumns] {
        if self.tokens <= limit, text.count <= textBytes { return isEmpty ? [] : [self] }
        var parts: [TokenColumns] = []
        var part = TokenColumns()
        var token = 0
        var byte = 0
        for row in 0..<rows {
            var left = Int(counts[row])
            var first = firstIndexes[row]
            while left > 0 {
                if part.tokens >= limit || part.text.count >= textBytes {
                    parts.append(part)
                    part.removeAll()
                }
                var count = 0
                var length = 0
                while count < left, part.tokens + count < limit, count == 0 || part.text.count + length < textBytes {
                    length += Int(textLengths[token + count])
                    count += 1
                }
                part.streams.append(streams[row])
                if !epochs.isEmpty { part.epochs.append(epochs[row]) }
                part.firstIndexes.append(first)
                part.counts.append(UInt32(count))
                let start = byte
                byte += length
                part.ids.append(contentsOf: ids[token..<token + count])
                part.textLengths.append(contentsOf: textLengths[token..<token + count])
                part.text.append(contentsOf: text[start..<byte])
                token += count
                first += UInt64(count)
                left -= count
            }
        }
        if !part.isEmpty { parts.append(part) }
        return parts
    }
}
