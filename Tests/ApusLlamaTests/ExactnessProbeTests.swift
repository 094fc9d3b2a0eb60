#if APUS_LLAMA
import ApusModel
import Testing

@testable import ApusLlama

/// What the probe makes of a library whose prompts depend on how they are cut.
@MainActor
@Suite(.serialized)
struct ExactnessProbeTests {
    @Test("Where the cut changes bits, 128 tokens of a prompt stay together, and nothing is padded")
    func fixedChunks() throws {
        let sequences = try Fixture.sequences(slots: 2, contextTokens: 256)
        var probe = ExactnessProbe(sequences: sequences, vocabularySize: 49_152, prefillChunk: 128, replayChunk: 9)
        probe.areEqualCuts = { _, _ in false }
        let finding = try probe.run()
        #expect(finding.quantum == 128)
        #expect(finding.exactness == .exact)
        #expect(!sequences.padsPrompts)
        // It leaves no slot behind.
        sequences.occupy(0)
        sequences.occupy(1)
    }
}
#endif
