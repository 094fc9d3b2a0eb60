/// Tokens of many streams, by columns: one row a run of consecutive tokens of one stream.
///
/// This is the form in which tokens travel and are stored from the engine step to the client: it costs a few array
/// appends a token, and an engine step or a coordinator turn is one value however many streams moved.
/// Invariant of a valid value: `streams`, `firstIndexes`, `counts` have one element a row, `epochs` one or none at all;
/// `ids` and `textLengths` have one element a token, in row order; `text` holds the texts back to back. `detailLengths` has one
/// element a token or, where no token has details, none at all; `details` holds them back to back.
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

    /// The length in bytes of each token's details, 0 for a token without; empty where no token has any.
    public var detailLengths: [UInt32] = []

    /// The details, back to back: each an encoded `TokenDetail`, which only the client reads.
    public var details: [UInt8] = []

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
        text: [UInt8],
        detailLengths: [UInt32] = [],
        details: [UInt8] = []
    ) {
        self.streams = streams
        self.epochs = epochs
        self.firstIndexes = firstIndexes
        self.counts = counts
        self.ids = ids
        self.textLengths = textLengths
        self.text = text
        self.detailLengths = detailLengths
        self.details = details
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
        guard bytes == UInt64(text.count), longest <= UInt32(Limits.tokenTextBytes), hasValidDetails
        else { return false }
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
        detailLengths.removeAll(keepingCapacity: true)
        details.removeAll(keepingCapacity: true)
    }
}
