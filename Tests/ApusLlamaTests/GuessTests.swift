#if APUS_LLAMA
import ApusEngine
import ApusModel
import Testing

@testable import ApusLlama

/// Guessed tokens: they save passes and change nothing else.
@MainActor
@Suite(.serialized)
struct GuessTests {
    @Test("Each place of a pass with guesses has the bits of decoding, and what is taken back leaves none")
    func bits() throws {
        let widths = try Fixture.engine().description.draftWidths
        let sequences = try Fixture.sequences(slots: 2)
        // Near the place where the cache grows by a piece.
        let tokens = Fixture.tokens(250 + 32)
        try sequences.begin(0, prompt: tokens[..<250])
        let alone = try sequences.decodeAlone(0, tokens: tokens[250...], from: 250)
        for width in widths {
            sequences.retract(0, to: 250)
            try sequences.feed(drawn: tokens[250..<250 + width], to: 0, at: 250, logits: width)
            for row in [width / 2, width - 1] {
                #expect(try sequences.digest(ofRow: row) == alone[row], "\(row) of \(width)")
            }
            // All but the first were wrong: the sequence goes on from there.
            guard width == widths.first || width == widths.last else { continue }
            sequences.retract(0, to: 251)
            let next = try sequences.decodeAlone(0, tokens: tokens[251..<252], from: 251)
            #expect(next == Array(alone[1...1]), "after \(width)")
        }
    }

    @Test(
        "Right, partly right and wrong guesses give the tokens of plain decoding",
        arguments: [SamplingParameters(), SamplingParameters(temperature: 1.2, topP: 0.9, seed: 21)]
    )
    func tokens(sampling: SamplingParameters) throws {
        let engine = try Fixture.engine()
        let prompt = Fixture.tokens(29)
        let plain = try engine.start(prompt, sampling: sampling, count: 40, in: 1)
        engine.vacate(slot: 1)
        // A companion, so that passes with guesses come between batched ones.
        let companion = try engine.start(prompt, count: 1, in: 0)
        defer { engine.vacate(slot: 0) }
        for (drafts, right) in [(1, 0), (4, 4), (4, 2), (8, 7), (30, 11), (30, 30)] {
            var drawn = try engine.start(prompt, sampling: sampling, count: 3, in: 1)
            let guesses = (0..<drafts).map { place in
                place < right ? plain[3 + place] : TokenID(rawValue: (plain[3 + place].rawValue + 1) % 49_000)
            }
            let fed = drawn.suffix(1) + guesses
            let got = try engine.run(.drawn, fed, in: 1, at: 29 + 2, drawing: 3, drafts: drafts)
            #expect(got == Array(plain[3...3 + right]), "\(right) of \(drafts)")
            drawn += got
            // Once a batched pass, then alone.
            var pass = Pass(kind: .drawn)
            pass.append(companion, to: 0, at: 29, drawing: 1)
            pass.append(drawn.suffix(1), to: 1, at: 29 + drawn.count - 1, drawing: drawn.count)
            var outcome = PassOutcome()
            if right == 2 {
                try engine.run(pass, into: &outcome)
                drawn += outcome.tokens.suffix(1)
            }
            let count = min(40, drawn.count + 6)
            let rest = try engine.proceed(drawn, behind: 29, count: count, in: 1)
            #expect(rest == Array(plain.prefix(count)), "\(right) of \(drafts)")
            engine.vacate(slot: 1)
        }
    }

    @Test("A history with guesses behind it is a history first")
    func historyAndGuesses() throws {
        let engine = try Fixture.engine()
        let prompt = Fixture.tokens(29)
        let plain = try engine.start(prompt, count: 12, in: 1)
        engine.vacate(slot: 1)
        try engine.occupy(slot: 1, request: GenerationRequest(prompt: "x"), prompt: prompt, history: Array(plain[..<5]))
        defer { engine.vacate(slot: 1) }
        #expect(try engine.run(.prompt, prompt, in: 1, at: 0, drawing: nil).isEmpty)
        // Five tokens of history, two guesses: the first is right.
        let fed = plain[..<6] + [TokenID(rawValue: (plain[6].rawValue + 1) % 49_000)]
        let got = try engine.run(.drawn, fed, in: 1, at: 29, drawing: 5, drafts: 2)
        #expect(got == Array(plain[5...6]))
        #expect(try engine.proceed(Array(plain[..<7]), behind: 29, count: 12, in: 1) == plain)
    }
}
#endif
