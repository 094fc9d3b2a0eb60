import ApusCore
import ApusModel
import Testing

@Suite("N-gram drafter")
struct NgramDrafterTests {
    private static func tokens(_ values: some Sequence<Int>) -> [TokenID] {
        values.map { TokenID(rawValue: Int32(truncatingIfNeeded: $0)) }
    }

    private static func draft(_ drafter: NgramDrafter, _ count: Int) -> [TokenID] {
        var draft: [TokenID] = []
        guard let match = drafter.match() else { return draft }
        drafter.propose(count, after: match, into: &draft)
        return draft
    }

    @Test("It proposes what followed the last time")
    func followed() {
        let drafter = NgramDrafter(Self.tokens([1, 2, 3, 4, 5, 6, 7, 8, 2, 3, 4]))
        #expect(drafter.match() == .init(length: 3, next: 4))
        #expect(Self.draft(drafter, 3) == Self.tokens([5, 6, 7]))
    }

    @Test("The latest earlier place counts, of the longest run of tokens")
    func latest() {
        #expect(Self.draft(NgramDrafter(Self.tokens([1, 2, 8, 1, 2, 9, 1, 2])), 1) == Self.tokens([9]))
        let longer = NgramDrafter(Self.tokens([5, 1, 2, 8, 0, 1, 2, 9, 5, 1, 2]))
        #expect(Self.draft(longer, 1) == Self.tokens([8]))
    }

    @Test("A match that reaches up to the end goes round")
    func periodic() {
        #expect(Self.draft(NgramDrafter(Self.tokens([7, 1, 2, 1, 2])), 5) == Self.tokens([1, 2, 1, 2, 1]))
        #expect(Self.draft(NgramDrafter(Self.tokens([4, 4, 4])), 3) == Self.tokens([4, 4, 4]))
    }

    @Test("Without two tokens that came before in this order there is no match")
    func noMatch() {
        #expect(NgramDrafter().match() == nil)
        #expect(NgramDrafter(Self.tokens([1])).match() == nil)
        #expect(NgramDrafter(Self.tokens([1, 2, 3, 2, 1])).match() == nil)
    }

    @Test("Token by token it finds what a search through everything finds", arguments: 1...10)
    func agreesWithSearch(seed: Int) {
        var random = SplitMix(seed: UInt64(seed))
        var all = Self.tokens((0..<random.below(100)).map { _ in random.below(5) })
        var drafter = NgramDrafter(all)
        var missed = 0
        for _ in 0..<600 {
            let match = drafter.match()
            let longest = Self.longestRepetition(in: all)
            if let match { #expect(Self.isRepetition(all, match)) }
            if min(5, match?.length ?? 0) < (longest < 2 ? 0 : longest) { missed += 1 }
            let token = TokenID(rawValue: Int32(random.below(5)))
            all.append(token)
            drafter.append(token)
        }
        // A run is forgotten where too many others have the same place in a table.
        #expect(missed < 20)
    }

    @Test("Beyond its capacity the older half is forgotten")
    func bounded() {
        var drafter = NgramDrafter(Self.tokens(0..<1_000), capacity: 64)
        #expect(drafter.count == 32)
        for value in 0..<1_000 {
            drafter.append(TokenID(rawValue: Int32(value % 7)))
            #expect(drafter.count <= 64)
        }
        #expect(Self.draft(drafter, 2) == Self.tokens([(1_000) % 7, 1_001 % 7]))
    }

    private static func isRepetition(_ tokens: [TokenID], _ match: NgramDrafter.Match) -> Bool {
        tokens[(match.next - match.length)..<match.next].elementsEqual(tokens.suffix(match.length))
    }

    private static func longestRepetition(in tokens: [TokenID]) -> Int {
        var longest = 0
        for end in stride(from: tokens.count - 1, to: 0, by: -1) {
            var length = 0
            while length < end, length < 5, tokens[end - 1 - length] == tokens[tokens.count - 1 - length] {
                length += 1
            }
            longest = max(longest, length)
        }
        return longest
    }
}
