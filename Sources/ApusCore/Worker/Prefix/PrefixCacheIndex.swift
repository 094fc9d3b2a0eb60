package import ApusModel

/// Knows which computed beginnings of prompts a worker keeps, and which of them to give up.
///
/// An entry is a snapshot that somebody else holds: tokens from position 0 on in whole blocks, named by an id. Blocks
/// are found by a chained hash, a block's hash being one over it and all before it; before a match is told, the tokens
/// themselves are compared. Every operation takes time proportional to the tokens it is about.
///
/// An entry that a longer one covers is given up for it, and what an entry covers is not taken in again. Beyond the
/// capacity in bytes, or the number of entries, the entry that has been unused longest goes.
package struct PrefixCacheIndex: Sendable {
    /// A beginning that a prompt shares with an entry.
    package struct Match: Hashable, Sendable {
        /// The entry.
        package var id: Int

        /// How many tokens can be taken from it: whole blocks, and fewer than the prompt has.
        package var tokens: Int

        /// Describes a match.
        package init(id: Int, tokens: Int) {
            self.id = id
            self.tokens = tokens
        }
    }

    /// What lookups brought.
    package struct Statistics: Hashable, Sendable {
        /// Prompts that began.
        package var lookups = 0

        /// Their tokens.
        package var promptTokens = 0

        /// Of these, found computed.
        package var cachedTokens = 0
    }

    private struct Entry {
        var id = 0
        var tokens: [TokenID] = []
        var bytes = 0
        /// The chained hash of each block, and the entry's place among the holders of that block.
        var hashes: [UInt64] = []
        var positions: [Int] = []
        var names: [UInt64] = []
    }

    private struct Block {
        /// The places of the entries that hold it; never empty.
        var holders: [Int] = []
        /// The place of the entry of which it is the last block; -1: of none.
        var ending = -1
    }

    /// Tokens of a block.
    package let blockTokens: Int

    /// Bytes that entries may take together.
    package let capacity: Int

    /// What lookups brought so far.
    package private(set) var statistics = Statistics()

    /// Bytes that entries take together.
    package private(set) var bytes = 0

    private let maximumEntries: Int
    private var entries: [Entry] = []
    private var vacant: [Int] = []
    private var places: [Int: Int] = [:]
    /// By chained hash; all holders of a block have the same tokens up to its end.
    private var blocks: [UInt64: Block] = [:]
    private var order = UseOrder()
    private var ledger = CachedBlockLedger()

    /// An index without entries.
    ///
    /// - Parameters:
    ///   - blockTokens: Tokens of a block: the step in which prompts are computed, 1 or more.
    ///   - capacity: Bytes that entries may take together; 0 keeps nothing.
    ///   - maximumEntries: Entries beyond which the oldest goes.
    package init(blockTokens: Int, capacity: Int, maximumEntries: Int = 4_096) {
        precondition(blockTokens > 0 && capacity >= 0 && maximumEntries > 0)
        self.blockTokens = blockTokens
        self.capacity = capacity
        self.maximumEntries = maximumEntries
    }

    /// The number of entries.
    package var count: Int { places.count }

    /// The ids of all entries, the one that has been unused longest first.
    package var ids: [Int] { order.places.map { entries[$0].id } }

    // MARK: Lookups

    /// The longest beginning of a prompt that an entry holds.
    ///
    /// - Parameter prompt: The prompt's tokens.
    /// - Returns: The match, of which at least one of the prompt's tokens remains to be computed; `nil` where not even
    ///   a block is kept.
    package func longestMatch(_ prompt: [TokenID]) -> Match? {
        match(prompt, blocks: (prompt.count - 1) / blockTokens)
    }

    /// Whether an entry holds all whole blocks of some tokens, so that a snapshot of them isn't worth taking.
    ///
    /// - Parameter tokens: The tokens from position 0 on.
    /// - Returns: Whether it does; `true` also for tokens without a whole block.
    package func isCovered(_ tokens: [TokenID]) -> Bool {
        let blocks = tokens.count / blockTokens
        return blocks == 0 || match(tokens, blocks: blocks)?.tokens == blocks * blockTokens
    }

    /// Counts a prompt that begins, and takes note that an entry was used for it.
    ///
    /// - Parameters:
    ///   - promptTokens: The prompt's length.
    ///   - match: What was taken from an entry; `nil`: nothing.
    package mutating func promptBegan(promptTokens: Int, match: Match?) {
        statistics.lookups += 1
        statistics.promptTokens += promptTokens
        guard let match else { return }
        statistics.cachedTokens += match.tokens
        touch(match.id)
    }

    /// Makes an entry the one used last; nothing happens for an unknown id.
    package mutating func touch(_ id: Int) {
        guard let place = places[id] else { return }
        order.remove(place)
        order.append(place)
    }

    // MARK: Changes

    /// Takes in a snapshot.
    ///
    /// - Parameters:
    ///   - id: What the snapshot is called; not the name of a present entry.
    ///   - tokens: What it holds, from position 0 on; an incomplete last block is left out.
    ///   - size: What it takes, in bytes.
    ///   - names: The prompt's text blocks as the coordinator names them (`PrefixBlocks`).
    ///   - coveredNames: How many of them, from the first on, lie wholly inside the snapshot.
    /// - Returns: The snapshots to drop now, in the order of their going. The new one is among them where it isn't
    ///   kept: without a whole block, with more bytes than the capacity, or covered by another.
    package mutating func insert(
        id: Int,
        tokens: [TokenID],
        bytes size: Int,
        names: [UInt64] = [],
        coveredNames: Int = 0
    ) -> [Int] {
        precondition(places[id] == nil && size >= 0, "the id is taken")
        guard size <= capacity, !isCovered(tokens), let hashes = hashes(of: tokens) else { return [id] }
        let place = vacant.popLast() ?? entries.count
        if place == entries.count { entries.append(Entry()) }
        entries[place].id = id
        entries[place].tokens = Array(tokens.prefix(hashes.count * blockTokens))
        entries[place].bytes = size
        entries[place].names = Array(names.prefix(max(0, coveredNames)))
        places[id] = place
        var evicted: [Int] = []
        for hash in hashes {
            // What the new entry covers goes first, so that it doesn't cost an unrelated one its place.
            if let covered = blocks[hash]?.ending, covered >= 0 {
                evicted.append(entries[covered].id)
                drop(covered)
            }
            entries[place].hashes.append(hash)
            entries[place].positions.append(blocks[hash]?.holders.count ?? 0)
            blocks[hash, default: Block()].holders.append(place)
        }
        if let last = hashes.last { blocks[last]?.ending = place }
        bytes += size
        ledger.retain(entries[place].names)
        order.append(place)
        return evicted + shrink(to: capacity)
    }

    /// Forgets an entry whose snapshot is lost; nothing happens for an unknown id.
    package mutating func remove(_ id: Int) {
        if let place = places[id] { drop(place) }
    }

    /// Gives up the entries that have been unused longest until the rest fits.
    ///
    /// - Parameter limit: Bytes that may remain.
    /// - Returns: The snapshots to drop.
    package mutating func shrink(to limit: Int) -> [Int] {
        var evicted: [Int] = []
        while let oldest = order.oldest, bytes > limit || places.count > maximumEntries {
            evicted.append(entries[oldest].id)
            drop(oldest)
        }
        return evicted
    }

    /// Gives up all entries; the statistics stay.
    ///
    /// - Returns: The snapshots to drop.
    package mutating func removeAll() -> [Int] {
        let evicted = ids
        for id in evicted { remove(id) }
        return evicted
    }

    // MARK: What the coordinator is told

    /// Takes what has changed in the kept text blocks since the last call.
    ///
    /// - Parameter limit: The most names of both kinds together; the rest comes with the next call.
    /// - Returns: Blocks that are kept from now on, and blocks that are kept no longer.
    package mutating func takeChangedBlocks(
        limit: Int = Limits.blocksPerStep
    ) -> (cached: [UInt64], evicted: [UInt64]) {
        ledger.takeChanges(limit: limit)
    }

    /// Reports every kept block again, because the coordinator has forgotten them.
    package mutating func reportAgain() {
        var names: [UInt64] = []
        for id in ids { if let place = places[id] { names += entries[place].names } }
        ledger.reportAgain(names)
    }

    // MARK: -

    private func match(_ tokens: [TokenID], blocks count: Int) -> Match? {
        var hash: UInt64 = 0
        var found: Int?
        for block in 0..<max(0, count) {
            hash = self.hash(of: tokens, block: block, after: hash)
            guard let holder = blocks[hash]?.holders.last else { break }
            found = holder
        }
        guard let found else { return nil }
        var equal = 0
        let end = min(count * blockTokens, entries[found].tokens.count)
        while equal < end, tokens[equal] == entries[found].tokens[equal] { equal += 1 }
        let matched = equal / blockTokens * blockTokens
        return matched > 0 ? Match(id: entries[found].id, tokens: matched) : nil
    }

    /// The chained hashes of all whole blocks.
    ///
    /// - Returns: `nil` where one of them belongs to other tokens already: prompts may be made to collide.
    private func hashes(of tokens: [TokenID]) -> [UInt64]? {
        var hashes: [UInt64] = []
        var own: Set<UInt64> = []
        for block in 0..<(tokens.count / blockTokens) {
            let previous = hashes.last ?? 0
            let hash = self.hash(of: tokens, block: block, after: previous)
            if let holder = blocks[hash]?.holders.first {
                let known = entries[holder]
                let range = (block * blockTokens)..<((block + 1) * blockTokens)
                guard known.hashes.count > block, known.hashes[block] == hash,
                    block == 0 || known.hashes[block - 1] == previous,
                    known.tokens[range].elementsEqual(tokens[range])
                else { return nil }
            }
            guard own.insert(hash).inserted else { return nil }
            hashes.append(hash)
        }
        return hashes
    }

    private func hash(of tokens: [TokenID], block: Int, after previous: UInt64) -> UInt64 {
        var state = (previous &+ 0x9e37_79b9_7f4a_7c15).mixed
        for place in (block * blockTokens)..<((block + 1) * blockTokens) {
            state = (state ^ UInt64(UInt32(bitPattern: tokens[place].rawValue))) &* 0xff51_afd7_ed55_8ccd
            state ^= state >> 32
        }
        return state.mixed
    }

    private mutating func drop(_ place: Int) {
        order.remove(place)
        for block in entries[place].hashes.indices {
            let hash = entries[place].hashes[block]
            let position = entries[place].positions[block]
            guard let last = blocks[hash]?.holders.popLast() else { continue }
            if last != place {
                blocks[hash]?.holders[position] = last
                entries[last].positions[block] = position
            }
            if blocks[hash]?.holders.isEmpty == true {
                blocks[hash] = nil
            } else if blocks[hash]?.ending == place {
                blocks[hash]?.ending = -1
            }
        }
        bytes -= entries[place].bytes
        ledger.release(entries[place].names)
        places[entries[place].id] = nil
        entries[place] = Entry()
        vacant.append(place)
    }
}
