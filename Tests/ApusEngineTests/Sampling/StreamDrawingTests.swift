import ApusGrammar
import ApusModel
import Testing

@testable import ApusEngine

@Suite("Drawing by a grammar")
struct StreamDrawingTests {
    /// Tokens r, a, b and an end.
    private static let pieces = [Array("r".utf8), Array("a".utf8), Array("b".utf8), []]
    private let vocabulary = SamplerVocabulary(
        size: 4,
        endOfGeneration: [TokenID(rawValue: 3)],
        appendText: { token, bytes in bytes += StreamDrawingTests.pieces[Int(token.rawValue)] }
    )
    private let trie = VocabularyTrie(pieces: pieces, endTokens: [3])
    private let scratch = SamplerScratch()

    private func draw(
        _ drawing: inout StreamDrawing,
        _ logits: [Float],
        index: Int,
        matcher: inout TokenMatcher?
    ) throws -> Int32 {
        try logits.withUnsafeBufferPointer {
            try drawing.draw(from: $0, index: index, matcher: &matcher, scratch: scratch).token.rawValue
        }
    }

    @Test("Allowed tokens are drawn as often as the distribution says, whatever is forbidden beside them")
    func distribution() throws {
        let grammar = try Grammar(gbnf: "root ::= [ab]+")
        var matcher: TokenMatcher? = TokenMatcher(vocabulary: trie)
        var counts = [0, 0, 0, 0]
        for seed in 0..<4_000 {
            let sampling = SamplingParameters(temperature: 1, seed: UInt64(seed))
            let request = GenerationRequest(prompt: "x", maximumTokens: 10, sampling: sampling)
            var drawing = try StreamDrawing(request: request, prompt: [], vocabulary: vocabulary, grammar: grammar)
            // r is twice as likely as a or b, and forbidden.
            counts[Int(try draw(&drawing, [0.693_147_2, 0, 0, -20], index: 0, matcher: &matcher))] += 1
        }
        #expect(counts[0] == 0)
        #expect((1_850...2_150).contains(counts[1]))
        #expect((1_850...2_150).contains(counts[2]))
    }

    @Test("A stream that goes on from its history draws what the undisturbed one draws")
    func resumed() throws {
        let grammar = try Grammar(gbnf: "root ::= (\"ab\" | \"ba\")+")
        let sampling = SamplingParameters(temperature: 1.2, repetitionPenalty: 1.3, seed: 5)
        let request = GenerationRequest(prompt: "x", maximumTokens: 40, sampling: sampling, minimumTokens: 30)
        var matcher: TokenMatcher? = TokenMatcher(vocabulary: trie)
        var whole = try StreamDrawing(request: request, prompt: [], vocabulary: vocabulary, grammar: grammar)
        let rows: [[Float]] = (0..<24).map { row in
            (0..<4).map { Float(CounterRandom.uniform(seed: UInt64(row), index: UInt64($0))) * 3 }
        }
        var tokens: [Int32] = []
        for (index, row) in rows.enumerated() { tokens.append(try draw(&whole, row, index: index, matcher: &matcher)) }
        for cut in [0, 1, 7, 20] {
            var resumed = try StreamDrawing(request: request, prompt: [], vocabulary: vocabulary, grammar: grammar)
            for token in tokens[..<cut] { try resumed.accept(TokenID(rawValue: token), matcher: matcher) }
            for index in cut..<rows.count {
                #expect(try draw(&resumed, rows[index], index: index, matcher: &matcher) == tokens[index])
            }
        }
        var other = try StreamDrawing(request: request, prompt: [], vocabulary: vocabulary, grammar: grammar)
        #expect { try other.accept(TokenID(rawValue: 0), matcher: matcher) } throws: {
            ($0 as? ApusError)?.code == .engineFailure
        }
    }

    @Test("A complete text ends, even before min_tokens")
    func complete() throws {
        let grammar = try Grammar(gbnf: "root ::= \"a\"")
        let request = GenerationRequest(prompt: "x", maximumTokens: 40, minimumTokens: 30)
        var matcher: TokenMatcher? = TokenMatcher(vocabulary: trie)
        var drawing = try StreamDrawing(request: request, prompt: [], vocabulary: vocabulary, grammar: grammar)
        #expect(try draw(&drawing, [3, 2, 1, 0], index: 0, matcher: &matcher) == 1)
        #expect(try draw(&drawing, [3, 2, 1, 0], index: 1, matcher: &matcher) == 3)
    }
}
