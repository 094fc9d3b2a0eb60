import ApusGrammar
import Testing

struct GBNFTests {
    @Test("Literals, sets, groups, alternatives and repetitions mean what llama.cpp says")
    func notation() throws {
        let cases: [(gbnf: String, fits: [String], doesNot: [String])] = [
            ("root ::= \"a\"", ["a"], ["", "b", "aa"]),
            ("root ::= \"\"", [""], ["a"]),
            ("root ::= \"a\\n\\x41\\u00e9\\U0001F600\\\"\\\\\"", ["a\nA\u{E9}\u{1F600}\"\\"], ["a\nA"]),
            ("root ::= [a-c0-9_]", ["a", "c", "5", "_"], ["d", "-", "ab"]),
            ("root ::= [^a-c\\n]", ["d", "\u{1F600}", "\0"], ["a", "\n"]),
            ("root ::= [a-]", ["a", "-"], ["b"]),
            ("root ::= [\\]\\-\\[]", ["]", "-", "["], ["\\"]),
            ("root ::= . .", ["a\n", "\u{4E2D}x"], ["a", "abc"]),
            ("root ::= \"a\" | \"bc\" |\n \"d\"", ["a", "bc", "d"], ["b", "ad"]),
            ("root ::= (\"a\" | \"b\"\n) # a comment\n", ["a", "b"], ["ab"]),
            ("root ::= \"ab\"*", ["", "ab", "abab"], ["a", "aba"]),
            ("root ::= \"ab\"+", ["ab", "abab"], ["", "a"]),
            ("root ::= \"ab\"? \"c\"", ["abc", "c"], ["ac", "ab"]),
            ("root ::= [a]{2}", ["aa"], ["a", "aaa"]),
            ("root ::= [a]{2,}", ["aa", "aaaaa"], ["a"]),
            ("root ::= (\"a\" [b]){1,3}", ["ab", "ababab"], ["", "abababab"]),
            ("root ::= \"a\"{0}", [""], ["a"]),
            ("root ::= \"a\"{0,2}", ["", "a", "aa"], ["aaa"]),
            ("root ::= (\"a\"?)* \"b\"", ["b", "aab"], ["", "a"]),
            ("root ::= (\"a\"? | \"b\"*){2,3} \"c\"", ["c", "abbc", "abac"], ["abab"]),
            ("root ::= first rest\nfirst ::= \"x\"\nrest ::= \",\" root | \"\"", ["x", "x,x,x"], ["x,"]),
            ("root ::= \"(\" root \")\" | \"x\"", ["x", "((x))"], ["((x)", "x)"]),
            ("\n\n# only\nroot ::=\n \"a\" b-1\r\nb-1 ::= \"b\"\r\n", ["ab"], ["a"]),
        ]
        for (gbnf, fits, doesNot) in cases {
            let grammar = try Grammar(gbnf: gbnf)
            for text in fits { #expect(grammar.matches(text), "\(gbnf) should match \(text)") }
            for text in doesNot { #expect(!grammar.matches(text), "\(gbnf) should not match \(text)") }
        }
    }

    @Test("What is no grammar is refused with line and column")
    func refusals() {
        let cases: [(gbnf: String, line: Int, column: Int, word: String)] = [
            ("root ::= \"a", 1, 10, "closed"),
            ("root ::= \"a\\q\"", 1, 12, "escape"),
            ("root ::= \"\\u12\"", 1, 11, "hexadecimal"),
            ("root ::= \"\\UFFFFFFFF\"", 1, 11, "Unicode"),
            ("root ::= [a", 1, 10, "closed"),
            ("root ::= []", 1, 10, "No character"),
            ("root ::= [^\\x00-\\U0010FFFF]", 1, 10, "No character"),
            ("root ::= [z-a]", 1, 11, "exchange"),
            ("root ::= (\"a\"", 1, 10, "')'"),
            ("root ::= \"a\")", 1, 13, "')'"),
            ("root ::= *", 1, 10, "repeats"),
            ("root ::= \"a\"{2001}", 1, 14, "2000"),
            ("root ::= \"a\"{3,2}", 1, 13, "below"),
            ("root ::= \"a\"{1", 1, 15, "'}'"),
            ("root ::= \"a\"{x}", 1, 14, "number"),
            ("root ::= <[12]>", 1, 10, "Token literals"),
            ("root ::= !<think>", 1, 10, "Token literals"),
            ("root \"a\"", 1, 6, "'::='"),
            ("root ::= \"a\"\n_x ::= \"b\"", 2, 1, "letters"),
            ("root ::= \"a\"\nroot ::= \"b\"", 2, 1, "twice"),
            ("root ::= \"a\"\n  b ::= c\n", 2, 9, "not defined"),
            (
                "root ::= \"a\" root-2 | \"b\"\nroot-2 ::= root-3 \"x\"\nroot-3 ::= root-2 | \"y\"", 2, 1,
                "left recursion"
            ),
            ("root ::= root \"a\" | \"b\"", 1, 1, "left recursion"),
            ("root ::= e root \"a\" | \"b\"\ne ::= \"x\"?", 1, 1, "left recursion"),
            ("root ::= \"x\"* (\"y\"? root)?", 1, 1, "left recursion"),
            ("root ::= \"a\" root", 1, 1, "never end"),
        ]
        for (gbnf, line, column, word) in cases {
            let error = refusal(of: gbnf)
            #expect(error?.place == .text(line: line, column: column), "\(gbnf): \(error?.message ?? "accepted")")
            #expect(error?.message.contains(word) == true, "\(gbnf): \(error?.message ?? "accepted")")
        }
        #expect(refusal(of: "")?.message.contains("'root'") == true)
        #expect(refusal(of: "a ::= \"b\"")?.message.contains("'root'") == true)
    }

    @Test("Grammars over the bounds are refused, those within are not")
    func bounds() {
        let nested = { (depth: Int) in
            "root ::= " + String(repeating: "(", count: depth) + "\"a\"" + String(repeating: ")", count: depth)
        }
        #expect(refusal(of: nested(64)) == nil)
        #expect(refusal(of: nested(65))?.message.contains("nested deeper") == true)
        #expect(refusal(of: nested(30_000))?.message.contains("nested deeper") == true)
        #expect(refusal(of: "root ::= \"" + String(repeating: "a", count: 49_000) + "\"") == nil)
        #expect(
            refusal(of: "root ::= \"" + String(repeating: "a", count: 65_000) + "\"")?.message.contains("50000") == true
        )
        #expect(refusal(of: "#" + String(repeating: "a", count: 65_536))?.message.contains("65536") == true)
        #expect(refusal(of: "root ::= [a]{2000}") == nil)
        #expect(refusal(of: "root ::= (([a]{2000}){2000}){2000}") == nil)
        let large = "root ::= " + (0..<20).map { "[a]{0,20\($0 < 10 ? "0" : "")\($0)} \"x\"" }.joined(separator: " ")
        #expect(refusal(of: large)?.message.contains("2000") == true)
        let many = "root ::= " + (0..<13).map { "([a]{0,2000} \"\($0)\")" }.joined(separator: " ")
        #expect(refusal(of: many)?.message.contains("50000") == true)
        let rules = (0..<4_000).map { "r\($0) ::= r\($0 + 1)" }.joined(separator: "\n")
        #expect(refusal(of: rules + "\nroot ::= r0\nr4000 ::= \"x\"") == nil)
        #expect(refusal(of: rules + "\nroot ::= r0\nr4000 ::= r0 | \"x\"")?.message.contains("left recursion") == true)
    }

    @Test("Grammars are equal when they mean the same elements")
    func equality() throws {
        let one = try Grammar(gbnf: "root ::= [ab] x\nx ::= \"y\"")
        let same = try Grammar(gbnf: "# a comment\nroot ::= [a-b]   name\nname ::= \"y\"\n")
        let other = try Grammar(gbnf: "root ::= [ac] x\nx ::= \"y\"")
        #expect(one == same)
        #expect(one.hashValue == same.hashValue)
        #expect(one != other)
        #expect(Grammar.json == Grammar.json)
    }
}
