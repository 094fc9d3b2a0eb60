#if APUS_LLAMA
import ApusEngine
import ApusModel
import Testing

@testable import ApusLlama

/// The bits of a prompt: whatever the cut, and after a copy of its beginning.
@MainActor
@Suite(.serialized)
struct PromptTests {
    @Test("A prompt has the same bits however it is cut into whole quanta, in every slot")
    func cuts() throws {
        let sequences = try Fixture.sequences(slots: 2, passTokens: 512)
        // A whole chunk, and an end that is no whole quantum.
        let tokens = Fixture.tokens(533 + 2)
        let prompt = tokens[..<533]
        let whole = try sequences.begin(0, prompt: prompt, widths: [512])
        let after = try sequences.decodeAlone(0, tokens: tokens[533...], from: 533)
        for widths in [[8, 24, 16, 64, 40], [504, 8, 16]] {
            let cut = try sequences.begin(1, prompt: prompt, widths: widths)
            #expect(cut == whole, "in \(widths)")
            #expect(try sequences.decodeAlone(1, tokens: tokens[533...], from: 533) == after, "after \(widths)")
            sequences.vacate(1)
        }
    }

    @Test("A short prompt in the smallest pieces has the bits of the whole", arguments: [1, 7, 8, 9, 137])
    func smallest(count: Int) throws {
        let sequences = try Fixture.sequences(slots: 2, passTokens: 144)
        let tokens = Fixture.tokens(count + 1)
        let whole = try sequences.begin(0, prompt: tokens[..<count], widths: [144])
        let after = try sequences.decodeAlone(0, tokens: tokens[count...], from: count)
        #expect(try sequences.begin(1, prompt: tokens[..<count], widths: [8]) == whole)
        #expect(try sequences.decodeAlone(1, tokens: tokens[count...], from: count) == after)
    }

    @Test("A prompt's pieces between other sequences' passes have its bits")
    func interleaved() throws {
        let sequences = try Fixture.sequences(slots: 3, passTokens: 152)
        let tokens = Fixture.tokens(149)
        let others = Fixture.tokens(60, stream: 3)
        let whole = try sequences.begin(1, prompt: tokens[...], widths: [152])
        sequences.vacate(1)
        try sequences.begin(0, prompt: others[..<20])
        try sequences.begin(2, prompt: others[..<35])
        let alone = try sequences.decodeAlone(0, tokens: others[20..<40], from: 20)
        sequences.retract(0, to: 20)
        sequences.occupy(1)
        var position = 0
        var step = 0
        while position < 149 {
            let end = min(149, position + 8 * (1 + step % 2))
            try sequences.feed(prompt: tokens[position..<end], to: 1, at: position, wantsLogits: end == 149)
            if end == 149 { #expect(try sequences.digest(ofRow: 0) == whole) }
            position = end
            try sequences.feed([
                DecodeRow(slot: 0, token: others[20 + step], position: 20 + step),
                DecodeRow(slot: 2, token: others[35 + step], position: 35 + step),
            ])
            #expect(try sequences.digest(ofRow: 0) == alone[step])
            step += 1
        }
    }

    @Test("A copied beginning, whole or cut at a quantum, goes on with the bits of a computed one")
    func copies() throws {
        let sequences = try Fixture.sequences(slots: 3)
        let tokens = Fixture.tokens(277 + 6)
        let prompt = tokens[..<277]
        let whole = try sequences.begin(0, prompt: prompt)
        // The copy of a sequence that lives holds its drawn tokens as well.
        let before = try sequences.decodeAlone(0, tokens: tokens[277..<280], from: 277)
        let live = try #require(sequences.state(of: 0))
        let after = before + (try sequences.decodeAlone(0, tokens: tokens[280...], from: 280))
        sequences.retract(0, to: 272)
        let leaving = try #require(sequences.state(of: 0))
        sequences.vacate(0)
        // A slot that held something else before.
        try sequences.begin(1, prompt: Fixture.tokens(300, stream: 5)[...])
        sequences.vacate(1)
        for (state, cuts) in [(live, [272, 256, 136, 8]), (leaving, [272, 128])] {
            for (place, cut) in cuts.enumerated() {
                let slot = place % 3
                sequences.occupy(slot)
                #expect(sequences.restore(state, tokens: cut, into: slot))
                #expect(try sequences.fill(slot, prompt: prompt, from: cut, widths: [64]) == whole, "cut at \(cut)")
                #expect(try sequences.decodeAlone(slot, tokens: tokens[277...], from: 277) == after, "cut at \(cut)")
                sequences.vacate(slot)
            }
        }
    }

    @Test("An engine's copies go on with the tokens of a computed beginning, and the copied stream goes on itself")
    func snapshots() throws {
        let engine = try Fixture.engine()
        let prompt = Fixture.tokens(85)
        let sampling = SamplingParameters(temperature: 0.9, seed: 4)
        let request = GenerationRequest(prompt: "x", sampling: sampling)
        let plain = try engine.start(prompt, sampling: sampling, count: 12, in: 0)
        engine.vacate(slot: 0)
        let begun = try engine.start(prompt, sampling: sampling, count: 5, in: 0)
        let live = try #require(engine.snapshot(slot: 0, tokens: 80, isLeaving: false))
        #expect(try engine.proceed(begun, behind: 85, count: 12, in: 0) == plain)
        let leaving = try #require(engine.snapshot(slot: 0, tokens: 80, isLeaving: true))
        engine.vacate(slot: 0)
        #expect(live.tokens == 80)
        #expect(leaving.byteCount <= live.byteCount)
        #expect(leaving.byteCount > 80 * 1_000)
        for (snapshot, cut) in [(live, 80), (leaving, 80), (live, 24), (leaving, 8)] {
            try engine.occupy(slot: 2, request: request, prompt: prompt, history: [])
            #expect(engine.restore(snapshot, tokens: cut, into: 2))
            let first = try engine.run(.prompt, prompt[cut...], in: 2, at: cut, drawing: 0)
            #expect(try engine.proceed(first, behind: 85, count: 12, in: 2) == plain, "cut at \(cut)")
            engine.vacate(slot: 2)
        }
        // Another engine's copy is none.
        try engine.occupy(slot: 2, request: request, prompt: prompt, history: [])
        #expect(!engine.restore(PrefixSnapshot(tokens: 80, byteCount: 1), tokens: 80, into: 2))
        let first = try engine.run(.prompt, prompt, in: 2, at: 0, drawing: 0)
        #expect(first == Array(plain.prefix(1)))
        engine.vacate(slot: 2)
    }
}
#endif
