/// A vocabulary as a tree of bytes, made once for a model and shared by all grammars.
///
/// Nodes lie in the order of a walk that goes down first, so that a walk over the whole vocabulary reads memory in order and
/// leaves a branch by one jump.
public struct VocabularyTrie: Sendable {
    /// The number of tokens.
    public let tokenCount: Int
    /// The tokens that end an answer, rising.
    let endTokens: [Int]

    /// For each node, the byte that leads to it.
    let bytes: [UInt8]
    /// For each node, how many bytes lead to the node above it.
    let depths: [Int32]
    /// For each node, the first one that isn't below it.
    let ends: [Int32]
    /// For each node, the first of the tokens that it spells, or -1.
    let tokens: [Int32]
    /// For each token, the next one with the same bytes, or -1.
    let siblings: [Int32]
    /// The greatest depth plus one.
    let height: Int

    private let pieces: [UInt8]
    private let offsets: [Int]

    /// Builds the tree.
    ///
    /// - Parameters:
    ///   - pieces: The bytes of each token's text, which may be parts of UTF-8 characters. A token without bytes is a special
    ///     one and never allowed.
    ///   - endTokens: The tokens that end an answer: allowed exactly where a text is complete, whatever their bytes. Numbers
    ///     that the vocabulary doesn't have are left out.
    public init(pieces: [[UInt8]], endTokens: [Int]) {
        tokenCount = pieces.count
        let ending = Set(endTokens)
        self.endTokens = ending.filter { pieces.indices.contains($0) }.sorted()
        var bytes: [UInt8] = []
        var depths: [Int32] = []
        var ends: [Int32] = []
        var tokens: [Int32] = []
        var siblings = [Int32](repeating: -1, count: pieces.count)
        var path: [Int] = []
        var spelled: [UInt8] = []
        let order = pieces.indices.filter { !pieces[$0].isEmpty && !ending.contains($0) }
            .sorted { pieces[$0] == pieces[$1] ? $0 > $1 : pieces[$0].lexicographicallyPrecedes(pieces[$1]) }
        for token in order {
            let piece = pieces[token]
            var common = 0
            while common < min(piece.count, spelled.count), piece[common] == spelled[common] { common += 1 }
            while path.count > common { ends[path.removeLast()] = Int32(bytes.count) }
            for depth in common..<piece.count {
                path.append(bytes.count)
                bytes.append(piece[depth])
                depths.append(Int32(depth))
                ends.append(0)
                tokens.append(-1)
            }
            spelled = piece
            if let node = path.last {
                siblings[token] = tokens[node]
                tokens[node] = Int32(token)
            }
        }
        while let node = path.popLast() { ends[node] = Int32(bytes.count) }
        height = Int(depths.max() ?? 0) + 2
        self.bytes = bytes
        self.depths = depths
        self.ends = ends
        self.tokens = tokens
        self.siblings = siblings
        self.pieces = pieces.flatMap(\.self)
        var offsets = [0]
        for piece in pieces { offsets.append(offsets[offsets.count - 1] + piece.count) }
        self.offsets = offsets
    }

    /// The bytes of a token's text; none for a token that the vocabulary doesn't have.
    public func piece(of token: Int) -> ArraySlice<UInt8> {
        (0..<tokenCount).contains(token) ? pieces[offsets[token]..<offsets[token + 1]] : []
    }

    /// Whether the token ends an answer.
    public func isEnd(_ token: Int) -> Bool { endTokens.contains(token) }
}
