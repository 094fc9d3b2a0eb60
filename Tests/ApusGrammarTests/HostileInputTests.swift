import Testing

@testable import ApusGrammar

/// Random and spoiled input of every kind: nothing traps, nothing takes more than its bounds.
struct HostileInputTests {
    private static let grammars = [
        "root ::= object\nobject ::= \"{\" (pair (\",\" pair)*)? \"}\"\npair ::= [a-z]+ \":\" value\nvalue ::= object | [0-9]{1,5}",
        "root ::= (\"a\" | [^b-d\\n] | .){2,7} root? # end\n",
        "root ::= \"\\x41\\u00e9\\U0001F600\" (\"x\"* | y)+\ny ::= \"(\" y \")\" | \"\"",
    ]

    private static let soup = [
        "root", " ::= ", "\"a\"", "\"", "[", "]", "[a-z]", "(", ")", "|", "*", "+", "?", "{", "}", "{2}", "{0,9}",
        "{1999,2000}",
        ".", "\\", "\n", "#", "x", "x ::= ", "^", "-", "<", "!", "\u{4E2D}", "\u{0}", " ", "::=", "{,",
        "999999999999999999999",
    ]

    private static let words = [
        "\"type\"", "\"properties\"", "\"$ref\"", "\"#\"", "\"#/\"", "\"anyOf\"", "\"oneOf\"", "\"allOf\"", "\"enum\"",
        "\"const\"",
        "\"items\"", "\"prefixItems\"", "\"required\"", "\"pattern\"", "\"(a*)*|[^b]{3}\"", "\"minimum\"",
        "\"maximum\"",
        "\"minItems\"", "\"maxLength\"", "\"string\"", "\"object\"", "\"array\"", "\"integer\"",
        "\"additionalProperties\"", "\"$defs\"",
        "\"format\"", "\"date\"", "-7", "3", "1e400", "0.5", "9223372036854775808", "-9223372036854775808", "true",
        "false", "null",
        "\"a\"", "\"\\u0000\"", "\"#/$defs/a\"", "\"~\"",
    ]

    @Test("Spoiled and random grammars are read or refused, and never take more than their bounds", arguments: 0..<8)
    func grammars(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        var accepted = 0
        for _ in 0..<250 {
            var text = ""
            if Bool.random(using: &random) {
                text = spoiled(Self.grammars.randomElement(using: &random) ?? "", &random)
            } else {
                for _ in 0..<Int.random(in: 0..<30, using: &random) {
                    text += Self.soup.randomElement(using: &random) ?? ""
                }
                if Bool.random(using: &random) { text = "root ::= " + text }
            }
            guard let grammar = try? Grammar(gbnf: text) else { continue }
            accepted += 1
            #expect(grammar.elementCount <= GrammarLimits.elements)
            try follow(grammar, &random)
        }
        #expect(accepted > 5)
    }

    @Test(
        "Spoiled and random schemas are converted or refused, and never take more than their bounds",
        arguments: 0..<8
    )
    func schemas(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed) &+ 100)
        for _ in 0..<250 {
            let text: String
            switch Int.random(in: 0..<3, using: &random) {
            case 0: text = spoiled(SchemaWalkTests.schemas.randomElement(using: &random) ?? "", &random)
            case 1: text = value(depth: 0, &random)
            default:
                text = "{\"$defs\": {\"a\": \(value(depth: 0, &random))}, \"allOf\": [\(value(depth: 0, &random))]}"
            }
            guard let grammar = try? Grammar(jsonSchema: text) else { continue }
            #expect(grammar.elementCount <= GrammarLimits.elements)
            try follow(grammar, &random)
        }
    }

    @Test("Random bytes are read as grammars, schemas and answers", arguments: 0..<4)
    func bytes(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed) &+ 200)
        let start = try GrammarState(.json)
        for _ in 0..<1_000 {
            let bytes = (0..<Int.random(in: 0..<64, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            let text = String(decoding: bytes, as: UTF8.self)
            _ = refusal(of: text)
            _ = refusal(ofSchema: text)
            var state = start
            #expect(state.accept(bytes) == bytes.isEmpty || bytes.first == 0x7B)
        }
    }

    @Test("References and branches that multiply end at the bound of work")
    func explosions() {
        let chain = (0..<30).map {
            "\"d\($0)\": {\"anyOf\": [{\"$ref\": \"#/$defs/d\($0 + 1)\"}, {\"$ref\": \"#/$defs/d\($0 + 1)\"}]}"
        }
        let defs = "\"$defs\": {\(chain.joined(separator: ",")), \"d30\": {\"type\": \"null\"}}"
        #expect(refusal(ofSchema: "{\"$ref\": \"#/$defs/d0\", \(defs)}") == nil)
        #expect(refusal(ofSchema: "{\"$ref\": \"#/$defs/d0\", \"minItems\": 1, \(defs)}") != nil)
        let pattern = String(repeating: "(", count: 60) + "a" + String(repeating: "){0,2000}", count: 60)
        _ = refusal(ofSchema: "{\"pattern\": \"\(pattern)\"}")
        #expect(
            refusal(ofSchema: "{\"pattern\": \"\(String(repeating: "(", count: 65))\"}")?.message.contains("nested")
                == true
        )
    }

    /// Goes along a grammar by random tokens, and by random bytes.
    private func follow(_ grammar: Grammar, _ random: inout SeededGenerator) throws {
        guard var state = try? GrammarState(grammar) else { return }
        for _ in 0..<4 {
            #expect(state.stackCount <= GrammarLimits.stacks)
            let before = state
            let noise = (0..<3).map { _ in UInt8.random(in: 0...255, using: &random) }
            if !state.accept(noise) { #expect(state == before) }
            guard let (mask, steps) = try? MaskWalk.allowed(after: state, in: TokenMatcherTests.vocabulary) else {
                return
            }
            #expect(steps <= GrammarLimits.stepsPerMask + 2 * GrammarLimits.stepsPerCharacter)
            let allowed = TokenMatcherTests.pieces.indices.filter { mask[$0] && $0 != 1 }
            guard let token = allowed.randomElement(using: &random) else { return }
            let isTaken = state.accept(TokenMatcherTests.pieces[token])
            #expect(isTaken)
        }
    }

    private func spoiled(_ text: String, _ random: inout SeededGenerator) -> String {
        var scalars = Array(text.unicodeScalars)
        for _ in 0..<Int.random(in: 1...4, using: &random) where !scalars.isEmpty {
            let place = Int.random(in: 0..<scalars.count, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: scalars.remove(at: place)
            case 1: scalars.insert(scalars[Int.random(in: 0..<scalars.count, using: &random)], at: place)
            case 2: scalars.insert("\u{7}", at: place)
            default: scalars.swapAt(place, Int.random(in: 0..<scalars.count, using: &random))
            }
        }
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return String(view)
    }

    private func value(depth: Int, _ random: inout SeededGenerator) -> String {
        let kind = Int.random(in: 0..<(depth < 4 ? 6 : 2), using: &random)
        if kind < 2 { return Self.words.randomElement(using: &random) ?? "1" }
        let count = Int.random(in: 0..<4, using: &random)
        if kind == 2 {
            return "[" + (0..<count).map { _ in value(depth: depth + 1, &random) }.joined(separator: ",") + "]"
        }
        let members = (0..<count).map { _ in
            let key = Self.words.filter { $0.hasPrefix("\"") }.randomElement(using: &random) ?? "\"a\""
            return key + ":" + value(depth: depth + 1, &random)
        }
        return "{" + members.joined(separator: ",") + "}"
    }
}
