import Testing

@testable import ApusGrammar

struct GrammarStateTests {
    @Test("JSON mode takes objects with bounded white space, and nothing else")
    func json() {
        let fits = [
            "{}", "{\"a\":1}", "{ \"a\": [1, 2.5e-3, true, null, {\"b\": {}}], \"\u{4E2D}\\n\\u00e9\": \"x\" }",
            "{\n  \"a\": [\n    []\n  ]\n}", "{\"a\":\"\\ud83d\\ude00\"}", "{\"a\":-0.5}",
        ]
        for text in fits { #expect(Grammar.json.matches(text), "\(text)") }
        let doesNot = [
            "[]", "1", "", "{", "{\"a\"}", "{\"a\":1,}", "{\"a\":01}", "{\"a\":.5}", "{\"a\":+1}", "{a:1}",
            "{\"a\":\"\n\"}",
            "{\"a\":\"\\ud83d\"}", "{\"a\":\"\\ude00\"}", "{\"a\":1}  ", "{  \"a\":1}", "{\"a\":  1}",
            "{\"a\":\"\\x\"}",
        ]
        for text in doesNot { #expect(!Grammar.json.matches(text), "\(text)") }
    }

    @Test("A state says when the text may end and when it must")
    func ends() throws {
        var state = try GrammarState(Grammar(gbnf: "root ::= \"a\" \"b\"? \"c\"?"))
        #expect(!state.isComplete && !state.mustEnd)
        #expect(take("a".utf8, &state))
        #expect(state.isComplete && !state.mustEnd)
        #expect(take("c".utf8, &state))
        #expect(state.isComplete && state.mustEnd)
        let before = state
        #expect(!take("c".utf8, &state))
        #expect(state == before)
        #expect(take([], &state))
        #expect(state.refusal(of: "c".utf8)?.message.contains("byte 1") == true)
    }

    @Test("Bytes may end within a character, and only ones that can go on are taken")
    func partialCharacters() throws {
        let grammar = try Grammar(gbnf: "root ::= [\u{E9}-\u{EA}\u{4E2D}\u{1F600}-\u{1F603}]")
        var state = try GrammarState(grammar)
        #expect(state.nextBytes() == [0xC3, 0xE4, 0xF0])
        #expect(take([0xF0, 0x9F], &state))
        #expect(!state.isComplete)
        #expect(state.nextBytes() == [0x98])
        #expect(!take([0x98, 0x84], &state))
        #expect(take([0x98, 0x82], &state))
        #expect(state.mustEnd)
        // Overlong forms, surrogates and what is beyond Unicode are no characters.
        let any = try GrammarState(Grammar(gbnf: "root ::= ."))
        for bytes: [UInt8] in [
            [0x80], [0xC0], [0xC1], [0xF5], [0xFF], [0xE0, 0x80], [0xE0, 0x9F], [0xED, 0xA0], [0xED, 0xBF, 0xBF],
            [0xF0, 0x8F], [0xF4, 0x90], [0xC3, 0x41], [0xE4, 0xB8, 0xC3],
        ] { #expect(!any.allows(bytes), "\(bytes)") }
        for bytes: [UInt8] in [[0xC2], [0xE0, 0xA0], [0xED, 0x9F, 0xBF], [0xF0, 0x90], [0xF4, 0x8F, 0xBF, 0xBF]] {
            #expect(any.allows(bytes), "\(bytes)")
        }
    }

    @Test("A state depends on the bytes alone, however they were cut", arguments: 0..<20)
    func cuts(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        let text = "{\"k\u{4E2D}\": [1, {\"x\": \"\u{1F600}\\n\"}, -2.5e1], \"b\": {\"c\": [[], {}]}}"
        let bytes = Array(text.utf8)
        let end = Int.random(in: 0...bytes.count, using: &random)
        var whole = try GrammarState(.json)
        #expect(take(bytes[..<end], &whole))
        var pieces = try GrammarState(.json)
        var start = 0
        while start < end {
            let next = Int.random(in: (start + 1)...end, using: &random)
            #expect(take(bytes[start..<next], &pieces))
            start = next
        }
        #expect(pieces == whole)
        #expect(pieces.hashValue == whole.hashValue)
        #expect(pieces.isComplete == (end == bytes.count))
    }

    @Test("States of different texts that leave the same choices are equal")
    func canonical() throws {
        var one = try GrammarState(.json)
        var other = try GrammarState(.json)
        #expect(take("{\"abc\":{\"x\":\"".utf8, &one))
        #expect(take("{\"z\":1, \"y\": {\"q\":[],\"abcdef".utf8, &other))
        #expect(one != other)
        #expect(take("\":\"".utf8, &other))
        #expect(one == other)
    }

    @Test("Nesting ends at the bound, and the answer can still be closed")
    func depth() throws {
        var state = try GrammarState(.json)
        #expect(take("{\"a\":".utf8, &state))
        var depth = 0
        while depth < 2_000, state.accept("[".utf8) { depth += 1 }
        #expect((300..<1_024).contains(depth))
        #expect(state.refusal(of: "[".utf8)?.message.contains("1024 open rules") == true)
        for _ in 0..<depth { #expect(take("]".utf8, &state)) }
        #expect(take("}".utf8, &state))
        #expect(state.mustEnd)
    }

    @Test("Lists that are written as right recursion need no depth")
    func rightRecursion() throws {
        var state = try GrammarState(Grammar(gbnf: "root ::= item root | item\nitem ::= \"a\" | \"b\""))
        for _ in 0..<5_000 { #expect(take("ab".utf8, &state)) }
        #expect(state.isComplete)
        #expect(state.stackCount <= 4)
    }

    @Test("Ambiguity beyond the bounds is refused with the reason, and the state stays")
    func ambiguity() throws {
        let many = try Grammar(gbnf: "root ::= ([a]{1,1000}){1,1000} \"b\"")
        var state = try GrammarState(many)
        var count = 0
        while count < 2_000, state.accept("a".utf8) { count += 1 }
        #expect(count < 2_000)
        #expect(state.refusal(of: "a".utf8)?.message.contains("less ambiguous") == true)
        #expect(!state.allows("a".utf8))
        #expect(state.stackCount <= GrammarLimits.stacks)
        let wide = try Grammar(gbnf: "root ::= ([a]?){2000} \"b\"")
        #expect(throws: GrammarError.self) { try GrammarState(wide) }
    }
}
