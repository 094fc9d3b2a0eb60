import ApusCore
import Testing

@Suite("Prefill pace")
struct PrefillPaceTests {
    private func allowance(_ pace: PrefillPace, decoding: Int, target: Int = 100) -> [Int] {
        let allowance = pace.allowance(decoding: .milliseconds(decoding), target: .milliseconds(target))
        return [allowance.long, allowance.short]
    }

    @Test("While nothing is known, the smallest piece runs")
    func unknown() {
        #expect(allowance(PrefillPace(chunkTokens: 512, chunkTime: nil), decoding: 10) == [0, 0])
    }

    @Test("Long prompts cost at most 0.8 of the decoding beside them, short ones what is left of 50 ms")
    func shares() {
        let pace = PrefillPace(chunkTokens: 512, chunkTime: .milliseconds(512))
        #expect(allowance(pace, decoding: 10) == [8, 40])
        #expect(allowance(pace, decoding: 0) == [0, 50])
        // The target of the running streams, where it is less.
        #expect(allowance(pace, decoding: 10, target: 25) == [8, 15])
        // A decoding pass that leaves nothing still lets short prompts have what long ones have.
        #expect(allowance(pace, decoding: 60) == [48, 48])
        #expect(allowance(pace, decoding: 30, target: 10) == [24, 24])
    }

    @Test("Pieces of less than 64 tokens are paid at the price of such pieces")
    func prices() {
        var pace = PrefillPace(chunkTokens: 512, chunkTime: .milliseconds(256))
        pace.chunkMeasured(tokens: 8, time: .milliseconds(16))
        // 0.5 ms a token in large pieces, 2 ms in small ones: 8 ms are 4 tokens, 40 ms are 80, in one large piece.
        #expect(allowance(pace, decoding: 10) == [4, 80])
        // 31 ms would be 62 tokens of a large piece, which is none yet.
        #expect(allowance(pace, decoding: 10, target: 41) == [4, 15])
        #expect(allowance(pace, decoding: 10, target: 42) == [4, 64])
        var small = PrefillPace(chunkTokens: 512, chunkTime: nil)
        small.chunkMeasured(tokens: 8, time: .milliseconds(16))
        #expect(allowance(small, decoding: 10) == [4, 20])
    }

    @Test("It follows what is measured, a quarter of the way each time")
    func follows() {
        var pace = PrefillPace(chunkTokens: 100, chunkTime: .milliseconds(100))
        pace.chunkMeasured(tokens: 100, time: .milliseconds(500))
        // 1 ms becomes 2.
        #expect(allowance(pace, decoding: 20) == [8, 15])
        for _ in 0..<40 { pace.chunkMeasured(tokens: 128, time: .milliseconds(512)) }
        #expect(allowance(pace, decoding: 20)[0] == 4)
        for _ in 0..<40 { pace.chunkMeasured(tokens: 64, time: .milliseconds(32)) }
        #expect(allowance(pace, decoding: 20)[1] == 59)
    }

    @Test("Impossible measurements do no harm")
    func nonsense() {
        var pace = PrefillPace(chunkTokens: 0, chunkTime: .zero)
        pace.chunkMeasured(tokens: 0, time: .seconds(1))
        pace.chunkMeasured(tokens: 8, time: .seconds(-1))
        pace.chunkMeasured(tokens: 100, time: .zero)
        #expect(allowance(pace, decoding: 10) == [1_000_000, 1_000_000])
        pace.chunkMeasured(tokens: 1, time: .seconds(1 << 40))
        pace.chunkMeasured(tokens: 100, time: .seconds(1 << 40))
        #expect(allowance(pace, decoding: 10) == [0, 0])
    }
}
