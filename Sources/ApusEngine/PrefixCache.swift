import ApusCore
import ApusModel

/// The computed beginnings of prompts that a pipeline keeps, and the copies that hold them.
struct PrefixCache {
    /// A beginning that a prompt shares with a kept one.
    struct Match {
        /// The copy to take it from.
        let snapshot: PrefixSnapshot
        /// How many tokens it is good for.
        let tokens: Int
        fileprivate let match: PrefixCacheIndex.Match
    }

    private var index: PrefixCacheIndex
    private var snapshots: [Int: PrefixSnapshot] = [:]
    private var nextID = 0

    /// A cache without beginnings.
    ///
    /// - Parameters:
    ///   - quantum: Tokens of the smallest piece of a prompt.
    ///   - capacity: Bytes that copies may take together; 0 keeps none.
    init(quantum: Int, capacity: Int) {
        index = PrefixCacheIndex(blockTokens: quantum, capacity: capacity)
    }

    /// Whether anything is kept at all.
    var isEnabled: Bool { index.capacity > 0 }

    /// Bytes that copies take.
    var bytes: Int { index.bytes }

    /// The longest kept beginning of a prompt, at least one token shorter than the prompt.
    func longestMatch(_ prompt: [TokenID]) -> Match? {
        guard let match = index.longestMatch(prompt), let snapshot = snapshots[match.id] else { return nil }
        return Match(snapshot: snapshot, tokens: match.tokens, match: match)
    }

    /// Whether the beginning of a prompt is kept.
    func isCovered(_ prompt: [TokenID], tokens: Int) -> Bool { index.isCovered(Array(prompt[..<tokens])) }

    /// Counts a prompt that begins, with what was taken for it.
    mutating func promptBegan(tokens: Int, match: Match?) {
        index.promptBegan(promptTokens: tokens, match: match?.match)
    }

    /// Keeps a copy.
    ///
    /// - Parameters:
    ///   - snapshot: The copy.
    ///   - prompt: The prompt that it is of.
    ///   - names: The prompt's text blocks.
    ///   - coveredNames: How many of them lie inside the copy.
    mutating func insert(_ snapshot: PrefixSnapshot, of prompt: [TokenID], names: [UInt64], coveredNames: Int) {
        let id = nextID
        nextID += 1
        snapshots[id] = snapshot
        let dropped = index.insert(
            id: id,
            tokens: Array(prompt[..<snapshot.tokens]),
            bytes: snapshot.byteCount,
            names: names,
            coveredNames: coveredNames
        )
        for id in dropped { snapshots[id] = nil }
    }

    /// Drops every copy.
    mutating func removeAll() {
        _ = index.removeAll()
        snapshots.removeAll()
    }

    /// Takes the text blocks that are kept from now on, and those that are kept no longer.
    mutating func takeChangedBlocks() -> (cached: [UInt64], evicted: [UInt64]) { index.takeChangedBlocks() }

    /// Names every kept text block again, for a coordinator that does not know them.
    mutating func reportAgain() { index.reportAgain() }
}
