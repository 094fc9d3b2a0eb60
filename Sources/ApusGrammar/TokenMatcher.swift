/// Finds which tokens of a vocabulary a grammar allows, and follows the ones that are chosen.
///
/// One matcher serves any number of grammars; it only remembers masks, so that what it answers never depends on what it was
/// asked before.
public struct TokenMatcher: Sendable {
    /// The vocabulary.
    public let vocabulary: VocabularyTrie

    private var cache: MaskCache

    /// How many masks were computed, as against remembered ones.
    public private(set) var computedMasks = 0

    /// Prepares to match a vocabulary.
    ///
    /// - Parameters:
    ///   - vocabulary: The tokens.
    ///   - cachedMasks: How many masks are remembered; each takes a bit a token, and up to 16 KiB for its state.
    public init(vocabulary: VocabularyTrie, cachedMasks: Int = 256) {
        self.vocabulary = vocabulary
        cache = MaskCache(capacity: cachedMasks)
    }

    /// The tokens that may come next: texts that the grammar allows, and the end tokens exactly where a text is complete.
    ///
    /// - Parameter state: Where the text stands.
    /// - Returns: The mask; an empty one where the text can neither go on nor end within `GrammarLimits`.
    /// - Throws: `GrammarError` when the grammar is too ambiguous to find them in bounded time, in every process alike.
    public mutating func allowed(_ state: GrammarState) throws(GrammarError) -> TokenMask {
        if let known = cache.mask(of: state) { return known }
        let mask = try MaskWalk.allowed(after: state, in: vocabulary).mask
        computedMasks += 1
        cache.insert(mask, of: state)
        return mask
    }

    /// Whether one token may come next; costs as much as its bytes, whatever the size of the vocabulary.
    ///
    /// - Parameters:
    ///   - token: The token; one that the vocabulary doesn't have is not allowed.
    ///   - state: Where the text stands.
    /// - Returns: What the token's bit in the mask would be.
    public func isAllowed(_ token: Int, in state: GrammarState) -> Bool {
        if vocabulary.isEnd(token) { return state.isComplete }
        let piece = vocabulary.piece(of: token)
        return !piece.isEmpty && state.allows(piece)
    }

    /// Goes on by a token.
    ///
    /// - Parameters:
    ///   - token: The token that was chosen.
    ///   - state: Where the text stands; an end token leaves it as it is.
    /// - Returns: Whether the token was allowed; if not, the state is as before.
    @discardableResult
    public func accept(_ token: Int, in state: inout GrammarState) -> Bool {
        if vocabulary.isEnd(token) { return state.isComplete }
        let piece = vocabulary.piece(of: token)
        return !piece.isEmpty && state.accept(piece)
    }
}
