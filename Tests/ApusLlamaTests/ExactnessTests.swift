#if APUS_LLAMA
import ApusEngine
import ApusModel
import Testing

@testable import ApusLlama

/// Bits of logits, compared between all ways in which a sequence can come to a position.
@MainActor
@Suite(.serialized)
struct ExactnessTests {
    private static let steps = 6

    @Test(
        "A continuation has the same bits alone, replayed, beside companions and across gaps",
        arguments: [1, 127, 128, 129, 255, 256, 500, 511, 512, 513, 520, 641]
    )
    func continuation(promptTokens: Int) throws {
        let sequences = try Fixture.sequences()
        let tokens = Fixture.tokens(promptTokens + Self.steps)
        let rest = tokens[promptTokens...]
        try sequences.begin(0, prompt: tokens[..<promptTokens])
        let alone = try sequences.decodeAlone(0, tokens: rest, from: promptTokens)

        for history in [1, 2, Self.steps] {
            sequences.retract(0, to: promptTokens)
            let replayed = try sequences.replay(0, tokens: rest.prefix(history), from: promptTokens, widths: [63])
            #expect(replayed == alone[history - 1], "a history of \(history)")
        }

        sequences.retract(0, to: promptTokens)
        let companion = Fixture.tokens(80, stream: 9)
        for slot in 1...3 { try sequences.begin(slot, prompt: companion[..<(20 * slot)]) }
        // Neighbours, all slots, a gap of one and of two over running sequences, and a lone row between running ones.
        for (step, others) in [[1], [1, 2, 3], [2], [3], [1, 3], []].enumerated() {
            var rows = [
                DecodeRow(slot: 0, token: rest[promptTokens + step], position: promptTokens + step)
            ]
            for slot in others {
                rows.append(DecodeRow(slot: slot, token: companion[0], position: 20 * slot))
            }
            try sequences.feed(rows)
            #expect(try sequences.digest(ofRow: 0) == alone[step], "beside \(others)")
            for slot in others { sequences.retract(slot, to: 20 * slot) }
        }
    }

    @Test("A sequence is the same in every slot, beside a long companion and after a gap over vacant slots")
    func slots() throws {
        let sequences = try Fixture.sequences()
        let tokens = Fixture.tokens(303)
        let first = try sequences.begin(0, prompt: tokens[..<300])
        let alone = try sequences.decodeAlone(0, tokens: tokens[300...], from: 300)
        #expect(try sequences.begin(3, prompt: tokens[..<300]) == first)
        sequences.retract(0, to: 300)
        try sequences.replay(0, tokens: Fixture.tokens(200)[...], from: 300, widths: [63])
        for step in 0..<3 {
            try sequences.feed([
                DecodeRow(slot: 0, token: tokens[0], position: 500 + step),
                DecodeRow(slot: 3, token: tokens[300 + step], position: 300 + step),
            ])
            #expect(try sequences.digest(ofRow: 1) == alone[step])
        }
    }

    @Test("A slot that was used before leaves no trace")
    func reuse() throws {
        let sequences = try Fixture.sequences()
        let tokens = Fixture.tokens(301)
        try sequences.begin(0, prompt: tokens[..<300])
        let fresh = try sequences.decodeAlone(0, tokens: tokens[300...], from: 300)
        sequences.vacate(0)
        try sequences.begin(0, prompt: Fixture.tokens(700, stream: 8)[...])
        sequences.vacate(0)
        try sequences.begin(0, prompt: tokens[..<300])
        #expect(try sequences.decodeAlone(0, tokens: tokens[300...], from: 300) == fresh)
    }

    @Test("Histories of 1 to 127 tokens replay to the bits of decoding in widths that are no multiple of 8")
    func histories() throws {
        let sequences = try Fixture.sequences(slots: 2)
        let tokens = Fixture.tokens(200 + 127)
        try sequences.begin(0, prompt: tokens[..<200])
        let alone = try sequences.decodeAlone(0, tokens: tokens[200...], from: 200)
        let cuts = [
            (1, [1]), (63, [63]), (63, [7, 9, 15, 17, 23]), (64, [62]), (64, [33]), (65, [63]), (127, [63, 62]),
            (127, [3]), (127, [60]),
        ]
        for (count, widths) in cuts {
            sequences.retract(0, to: 200)
            let replayed = try sequences.replay(0, tokens: tokens[200..<200 + count], from: 200, widths: widths)
            #expect(replayed == alone[count - 1], "\(count) tokens in \(widths)")
        }
    }

    @Test("Eight rows and more have the bits of one")
    func manyRows() throws {
        let sequences = try Fixture.sequences(slots: 17, contextTokens: 256)
        let tokens = Fixture.tokens(104)
        let others = Fixture.tokens(40, stream: 3)
        try sequences.begin(0, prompt: tokens[..<100])
        let alone = try sequences.decodeAlone(0, tokens: tokens[100...], from: 100)
        sequences.retract(0, to: 100)
        for slot in 1...16 { try sequences.begin(slot, prompt: others[..<(2 * slot)]) }
        for (step, companions) in [7, 8, 15, 16].enumerated() {
            var rows = [DecodeRow(slot: 0, token: tokens[100 + step], position: 100 + step)]
            for slot in 1...companions { rows.append(DecodeRow(slot: slot, token: others[39], position: 2 * slot)) }
            try sequences.feed(rows)
            #expect(try sequences.digest(ofRow: 0) == alone[step], "beside \(companions)")
            for slot in 1...companions { sequences.retract(slot, to: 2 * slot) }
        }
    }

    @Test("One thread computes what two compute")
    func threads() throws {
        let tokens = Fixture.tokens(649)
        let results = try [1, 2].map { threads in
            let sequences = try Fixture.sequences(threads: threads, slots: 2)
            let prompt = try sequences.begin(0, prompt: tokens[..<641])
            return [prompt] + (try sequences.decodeAlone(0, tokens: tokens[641...], from: 641))
        }
        #expect(results[0] == results[1])
    }

    @Test("Every policy for lone rows gives the same bits far into a context")
    func policies() throws {
        let sequences = try Fixture.sequences(threads: 2)
        let tokens = Fixture.tokens(641)
        try sequences.begin(1, prompt: tokens[..<640])
        sequences.policy = .onOneThread
        let reference = try sequences.decodeAlone(1, tokens: tokens[640...], from: 640)
        sequences.retract(1, to: 640)
        sequences.policy = .besideCompanion
        #expect(try sequences.decodeAlone(1, tokens: tokens[640...], from: 640) == reference)
        sequences.retract(1, to: 640)
        sequences.policy = .asIs
        #expect(
            try sequences.decodeAlone(1, tokens: tokens[640...], from: 640) == reference,
            "this llama.cpp splits a lone row's context: run Scripts/setup.sh"
        )
    }

    @Test("A pass over a slot's end fails and leaves every sequence as it was")
    func fullSlot() throws {
        let sequences = try Fixture.sequences(slots: 2, contextTokens: 256)
        let tokens = Fixture.tokens(256)
        try sequences.begin(0, prompt: tokens[...])
        try sequences.begin(1, prompt: tokens[..<20])
        let rows = [
            DecodeRow(slot: 0, token: tokens[0], position: 256),
            DecodeRow(slot: 1, token: tokens[20], position: 20),
        ]
        #expect { try sequences.feed(rows) } throws: { ($0 as? ApusError)?.code == .engineFailure }
        let after = try sequences.decodeAlone(1, tokens: tokens[20..<21], from: 20)
        sequences.retract(1, to: 20)
        sequences.vacate(0)
        #expect(try sequences.decodeAlone(1, tokens: tokens[20..<21], from: 20) == after)
    }
}
#endif
