import Testing

@testable import ApusGrammar

struct TokenMatcherTests {
    /// Every byte of the letters in use, parts of characters, longer pieces, equal ones, special ones.
    static let pieces: [[UInt8]] = {
        var pieces: [[UInt8]] = [[], Array("<end>".utf8)]
        for text in [
            "a", "b", "c", " ", "ab", "abc", "ba", "aa", "aab", "cab", "abab", "\u{E9}", "\u{4E2D}", "\u{1F600}",
        ] {
            pieces.append(Array(text.utf8))
        }
        pieces += [
            [0xC3], [0xA9], [0xE4], [0xE4, 0xB8], [0xB8, 0xAD], [0xAD], [0xF0, 0x9F], [0x98, 0x80], [0xF0], [0x80],
        ]
        pieces += [
            [0xA9, 0x61], [0xAD, 0xC3], [0xFF], [0xC0, 0x80], Array("a".utf8), Array("\u{E9}\u{4E2D}a".utf8), [],
        ]
        return pieces
    }()

    static let vocabulary = VocabularyTrie(pieces: pieces, endTokens: [1, 99, -3])

    @Test("The mask says of each token what trying it says, for random grammars and states", arguments: 0..<150)
    func bruteForce(seed: Int) throws {
        var source = RandomGrammar(seed: UInt64(seed))
        let text = source.gbnf()
        guard let grammar = try? Grammar(gbnf: text), var state = try? GrammarState(grammar) else { return }
        var random = SeededGenerator(seed: UInt64(seed) &+ 1_000)
        var matcher = TokenMatcher(vocabulary: Self.vocabulary, cachedMasks: 3)
        for _ in 0..<12 {
            let mask = try matcher.allowed(state)
            var allowed: [Int] = []
            for token in Self.pieces.indices {
                var next = state
                let piece = Self.pieces[token]
                let expected = token == 1 ? state.isComplete : !piece.isEmpty && next.accept(piece)
                #expect(mask[token] == expected, "seed \(seed), token \(piece) of\n\(text)")
                #expect(matcher.isAllowed(token, in: state) == expected)
                if expected, token != 1 { allowed.append(token) }
            }
            #expect(mask.allowedCount == allowed.count + (state.isComplete ? 1 : 0))
            guard let token = allowed.randomElement(using: &random) else { break }
            #expect(matcher.accept(token, in: &state))
        }
    }

    @Test("Most random grammars are ones to test with")
    func randomGrammars() {
        let count = (0..<150).count { seed in
            var source = RandomGrammar(seed: UInt64(seed))
            return (try? Grammar(gbnf: source.gbnf())) != nil
        }
        #expect(count > 100)
    }

    @Test("End tokens are allowed exactly where the text is complete, whatever their text")
    func endTokens() throws {
        var matcher = TokenMatcher(vocabulary: Self.vocabulary)
        var state = try GrammarState(Grammar(gbnf: "root ::= \"a\" \"<end>\"?"))
        let first = try matcher.allowed(state)
        #expect(!first[1])
        #expect(!matcher.accept(1, in: &state))
        #expect(matcher.accept(2, in: &state))
        let mask = try matcher.allowed(state)
        #expect(mask[1])
        #expect(mask.allowedCount == 1)
        let before = state
        #expect(matcher.accept(1, in: &state))
        #expect(state == before)
    }

    @Test("Tokens that the vocabulary doesn't have are never allowed")
    func strangeTokens() throws {
        var matcher = TokenMatcher(vocabulary: Self.vocabulary)
        var state = try GrammarState(Grammar(gbnf: "root ::= .*"))
        let mask = try matcher.allowed(state)
        for token in [-1, Int.min, Self.pieces.count, Int.max, 0] {
            #expect(!mask[token])
            #expect(!matcher.isAllowed(token, in: state))
            #expect(!matcher.accept(token, in: &state))
        }
        var none = TokenMatcher(vocabulary: VocabularyTrie(pieces: [], endTokens: [0]))
        let nothing = try none.allowed(state)
        #expect(nothing.isEmpty)
    }

    @Test("Masks of equal states are computed once while they are remembered")
    func cache() throws {
        var matcher = TokenMatcher(vocabulary: Self.vocabulary, cachedMasks: 2)
        let grammar = try Grammar(gbnf: "root ::= \"abc\"")
        var states = [try GrammarState(grammar)]
        for letter in ["a", "b"] {
            var next = states[states.count - 1]
            #expect(take(letter.utf8, &next))
            states.append(next)
        }
        var masks: [TokenMask] = []
        for state in states { masks.append(try matcher.allowed(state)) }
        #expect(matcher.computedMasks == 3)
        for (place, computed) in [(2, 3), (1, 3), (0, 4), (1, 4), (2, 5)] {
            let mask = try matcher.allowed(states[place])
            #expect(mask == masks[place])
            #expect(matcher.computedMasks == computed)
        }
    }

    @Test("A mask that would take too many steps is an error, again and again")
    func steps() throws {
        var pieces: [[UInt8]] = []
        for first in UInt8(0x61)...0x7A {
            for second in UInt8(0x61)...0x7A {
                for third in UInt8(0x61)...0x7A { pieces.append([first, second, third]) }
            }
        }
        // Each alternative reads most letters, but not the same ones: nearly every token leads to a state of its own.
        var random = SeededGenerator(seed: 1)
        let alternatives = (0..<200).map { number in
            let letters = "abcdefghijklmnopqrstuvwxyz".filter { _ in Int.random(in: 0..<10, using: &random) > 0 }
            return "[\(letters)]* \"\(number)\""
        }
        let grammar = try Grammar(gbnf: "root ::= " + alternatives.joined(separator: " | "))
        var matcher = TokenMatcher(vocabulary: VocabularyTrie(pieces: pieces, endTokens: []))
        let state = try GrammarState(grammar)
        for _ in 0..<2 {
            do {
                _ = try matcher.allowed(state)
                Issue.record("The mask was computed")
            } catch {
                #expect(error.message.contains("1000000 steps"))
            }
        }
        let isAllowed = matcher.isAllowed(0, in: state)
        #expect(isAllowed)
    }

    @Test("A mask within a JSON string takes few steps")
    func stepsOfJSON() throws {
        var state = try GrammarState(.json)
        #expect(take("{\"a\": \"x".utf8, &state))
        let (mask, steps) = try MaskWalk.allowed(after: state, in: Self.vocabulary)
        #expect(mask.allowedCount > 20)
        #expect(steps < 2_000)
    }
}
