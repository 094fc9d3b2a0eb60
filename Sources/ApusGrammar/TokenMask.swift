/// Which tokens of a vocabulary are allowed, a bit each.
public struct TokenMask: Hashable, Sendable {
    /// The bits, 64 tokens a word, the lowest token in the lowest bit; bits beyond the vocabulary are 0.
    public private(set) var words: [UInt64]
    /// The size of the vocabulary.
    public let tokenCount: Int

    /// Allows nothing.
    ///
    /// - Parameter tokenCount: The size of the vocabulary.
    public init(tokenCount: Int) {
        self.tokenCount = tokenCount
        words = [UInt64](repeating: 0, count: (tokenCount + 63) / 64)
    }

    /// Whether the token is allowed; one that the vocabulary doesn't have is not.
    public subscript(token: Int) -> Bool {
        (0..<tokenCount).contains(token) && words[token >> 6] >> UInt64(token & 63) & 1 == 1
    }

    /// How many tokens are allowed.
    public var allowedCount: Int { words.reduce(0) { $0 + $1.nonzeroBitCount } }

    /// Whether nothing is allowed: no text and no end can follow.
    public var isEmpty: Bool { words.allSatisfy { $0 == 0 } }

    /// Allows a token of the vocabulary; traps for one that it doesn't have.
    public mutating func insert(_ token: Int) { words[token >> 6] |= 1 << UInt64(token & 63) }
}
