import ApusModel
import Testing

@testable import ApusCore

@Suite("Prefix cache index")
struct PrefixCacheIndexTests {
    private static func tokens(_ values: some Sequence<Int>) -> [TokenID] {
        values.map { TokenID(rawValue: Int32(truncatingIfNeeded: $0)) }
    }

    private static func index(
        block: Int = 4,
        capacity: Int = 1_000,
        entries: [(id: Int, tokens: [TokenID], bytes: Int)] = []
    ) -> PrefixCacheIndex {
        var index = PrefixCacheIndex(blockTokens: block, capacity: capacity)
        for entry in entries { _ = index.insert(id: entry.id, tokens: entry.tokens, bytes: entry.bytes) }
        return index
    }

    @Test("A match has whole blocks, and leaves at least one token of the prompt to compute")
    func wholeBlocks() {
        let index = Self.index(entries: [(7, Self.tokens(0..<14), 10)])
        #expect(index.longestMatch(Self.tokens(0..<100)) == .init(id: 7, tokens: 12))
        #expect(index.longestMatch(Self.tokens(0..<13)) == .init(id: 7, tokens: 12))
        #expect(index.longestMatch(Self.tokens(0..<12)) == .init(id: 7, tokens: 8))
        #expect(index.longestMatch(Self.tokens(0..<5)) == .init(id: 7, tokens: 4))
        #expect(index.longestMatch(Self.tokens(0..<4)) == nil)
        #expect(index.longestMatch([]) == nil)
        #expect(index.longestMatch(Self.tokens([0, 1, 2, 9, 4, 5, 6, 7, 8])) == nil)
        #expect(index.longestMatch(Self.tokens([0, 1, 2, 3, 4, 5, 9, 7, 8])) == .init(id: 7, tokens: 4))
    }

    @Test("A part of a longer entry matches too")
    func partOfEntry() {
        let index = Self.index(entries: [
            (1, Self.tokens(Array(0..<8) + Array(100..<108)), 10), (2, Self.tokens(0..<16), 10),
        ])
        #expect(index.longestMatch(Self.tokens(Array(0..<8) + [55, 56])).map(\.tokens) == 8)
        #expect(index.longestMatch(Self.tokens(Array(0..<8) + Array(100..<109))) == .init(id: 1, tokens: 16))
    }

    @Test("An entry that a longer one covers is given up for it; what is covered isn't taken in")
    func covering() {
        var index = Self.index(entries: [(1, Self.tokens(0..<8), 10), (2, Self.tokens(50..<58), 10)])
        #expect(index.isCovered(Self.tokens(0..<11)))
        #expect(!index.isCovered(Self.tokens(0..<12)))
        #expect(index.isCovered(Self.tokens(0..<3)))
        let replaced = index.insert(id: 3, tokens: Self.tokens(0..<12), bytes: 15)
        #expect(replaced == [1])
        #expect(index.bytes == 25)
        #expect(index.ids == [2, 3])
        let refused = index.insert(id: 4, tokens: Self.tokens(0..<10), bytes: 5)
        #expect(refused == [4])
        #expect(index.count == 2)
    }

    @Test("Beyond the capacity the entry that was unused longest goes")
    func leastRecentlyUsed() {
        var index = Self.index(
            capacity: 30,
            entries: [(1, Self.tokens(0..<4), 10), (2, Self.tokens(10..<14), 10), (3, Self.tokens(20..<24), 10)]
        )
        index.touch(1)
        let first = index.insert(id: 4, tokens: Self.tokens(30..<34), bytes: 15)
        #expect(first == [2, 3])
        #expect(index.ids == [1, 4])
        let tooLarge = index.insert(id: 5, tokens: Self.tokens(40..<44), bytes: 31)
        #expect(tooLarge == [5])
        let shrunk = index.shrink(to: 20)
        #expect(shrunk == [1])
        let all = index.removeAll()
        #expect(all == [4])
        #expect(index.bytes == 0)
        #expect(index.longestMatch(Self.tokens(0..<9)) == nil)
    }

    @Test("The number of entries is bounded")
    func boundedEntries() {
        var index = PrefixCacheIndex(blockTokens: 4, capacity: 1_000, maximumEntries: 2)
        var evicted: [Int] = []
        for id in 0..<4 { evicted += index.insert(id: id, tokens: Self.tokens((id * 10)..<(id * 10 + 4)), bytes: 0) }
        #expect(evicted == [0, 1])
    }

    @Test("Lookups are counted, and what they use is used last")
    func statistics() {
        var index = Self.index(entries: [(1, Self.tokens(0..<8), 10), (2, Self.tokens(50..<58), 10)])
        let match = index.longestMatch(Self.tokens(0..<10))
        index.promptBegan(promptTokens: 10, match: match)
        index.promptBegan(promptTokens: 5, match: nil)
        #expect(index.statistics.lookups == 2)
        #expect(index.statistics.promptTokens == 15)
        #expect(index.statistics.cachedTokens == 8)
        #expect(index.ids == [2, 1])
    }

    @Test("Text blocks are reported once they are kept, and again once the last entry with them is gone")
    func textBlocks() {
        var index = PrefixCacheIndex(blockTokens: 4, capacity: 1_000)
        func changes() -> [[UInt64]] {
            let changes = index.takeChangedBlocks()
            return [changes.cached, changes.evicted]
        }
        _ = index.insert(id: 1, tokens: Self.tokens(0..<8), bytes: 1, names: [11, 12, 13], coveredNames: 2)
        var told = changes()
        #expect(told == [[11, 12], []])
        _ = index.insert(
            id: 2,
            tokens: Self.tokens(Array(0..<4) + Array(60..<64)),
            bytes: 1,
            names: [11, 22],
            coveredNames: 2
        )
        index.remove(1)
        told = changes()
        #expect(told == [[22], [12]])
        // A longer entry takes over: nothing is evicted in between.
        _ = index.insert(
            id: 3,
            tokens: Self.tokens(Array(0..<4) + Array(60..<70)),
            bytes: 1,
            names: [11, 22, 23],
            coveredNames: 3
        )
        told = changes()
        #expect(told == [[23], []])
        index.reportAgain()
        told = changes()
        #expect(told == [[11, 22, 23], []])
        _ = index.removeAll()
        told = changes()
        #expect(told == [[], [11, 22, 23]])
    }

    @Test("Reports are bounded; what doesn't fit comes next time, and what came and went doesn't come")
    func boundedReports() {
        var index = PrefixCacheIndex(blockTokens: 4, capacity: 1_000)
        let names = (0..<100).map { UInt64($0) }
        _ = index.insert(id: 1, tokens: Self.tokens(0..<8), bytes: 1, names: names, coveredNames: 100)
        let first = index.takeChangedBlocks(limit: 60)
        #expect(first.cached == Array(names[..<60]))
        index.remove(1)
        let second = index.takeChangedBlocks(limit: 60)
        #expect(second.cached.isEmpty)
        #expect(second.evicted == Array(names[..<60]))
    }

    @Test("Random operations agree with a search through all entries", arguments: 1...20)
    func agreesWithSearch(seed: Int) {
        var random = SplitMix(seed: UInt64(seed))
        let block = [1, 3, 8][seed % 3]
        var index = PrefixCacheIndex(blockTokens: block, capacity: 400, maximumEntries: 12)
        var kept: [Int: [TokenID]] = [:]
        for id in 0..<300 {
            // Few values, so that beginnings are often shared.
            let tokens = Self.tokens((0..<random.below(8 * block + 1)).map { $0 % 3 == 0 ? random.below(3) : 1 })
            let limit = (tokens.count - 1) / block * block
            let expected = kept.values.map { Self.common($0, tokens, limit: limit, block: block) }.max() ?? 0
            let match = index.longestMatch(tokens)
            #expect(match?.tokens ?? 0 == expected)
            if let match {
                #expect(Self.common(kept[match.id] ?? [], tokens, limit: limit, block: block) == match.tokens)
                if random.below(2) == 0 { index.touch(match.id) }
            }
            let whole = Array(tokens.prefix(tokens.count / block * block))
            let isCovered = kept.values.contains { $0.starts(with: whole) }
            #expect(index.isCovered(tokens) == (whole.isEmpty || isCovered))
            let names = (0..<(whole.count / block)).map { UInt64(whole[...($0 * block)].count) }
            let evicted = index.insert(
                id: id,
                tokens: tokens,
                bytes: random.below(90),
                names: names,
                coveredNames: names.count
            )
            kept[id] = whole
            for gone in evicted { kept[gone] = nil }
            if random.below(20) == 0, let gone = index.ids.first {
                index.remove(gone)
                kept[gone] = nil
            }
            #expect(Set(index.ids) == Set(kept.keys))
            #expect(index.bytes <= 400 && index.count <= 12)
        }
    }

    private static func common(_ left: [TokenID], _ right: [TokenID], limit: Int, block: Int) -> Int {
        let equal = zip(left, right).prefix { $0 == $1 }.count
        return max(0, min(equal, limit)) / block * block
    }
}
