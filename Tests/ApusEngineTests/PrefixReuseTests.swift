import ApusCore
import ApusModel
import Testing

@testable import ApusEngine

/// Knows what each slot holds, and notes copies of more than that.
private final class HonestEngine: InferenceEngine {
    var description: EngineDescription { inner.description }
    private let inner = ScriptedEngine.ofX(slots: 8)
    private var lengths: [Int: Int] = [:]
    private(set) var faults: [String] = []
    private(set) var restored: [Int] = []

    func tokenize(_ request: GenerationRequest) throws(ApusError) -> [TokenID] { try inner.tokenize(request) }

    func occupy(
        slot: Int,
        request: GenerationRequest,
        prompt: [TokenID],
        history: [TokenID]
    ) throws(ApusError) {
        try inner.occupy(slot: slot, request: request, prompt: prompt, history: history)
        lengths[slot] = 0
    }

    func run(_ pass: Pass, into outcome: inout PassOutcome) throws(ApusError) {
        try inner.run(pass, into: &outcome)
        for segment in pass.segments {
            if lengths[segment.slot] != segment.position {
                faults.append("slot \(segment.slot) holds \(lengths[segment.slot] ?? -1), fed at \(segment.position)")
            }
            lengths[segment.slot] = segment.position + segment.tokens.count
        }
    }

    func snapshot(slot: Int, tokens: Int, isLeaving: Bool) -> PrefixSnapshot? {
        if (lengths[slot] ?? -1) < tokens {
            faults.append("slot \(slot) holds \(lengths[slot] ?? -1), copied \(tokens)")
        }
        return PrefixSnapshot(tokens: tokens, byteCount: tokens)
    }

    func restore(_ snapshot: PrefixSnapshot, tokens: Int, into slot: Int) -> Bool {
        lengths[slot] = tokens
        restored.append(tokens)
        return true
    }

    func appendText(of token: TokenID, showingSpecials: Bool, to bytes: inout [UInt8]) {
        inner.appendText(of: token, showingSpecials: showingSpecials, to: &bytes)
    }

    func endsGeneration(_ token: TokenID) -> Bool { false }

    func vacate(slot: Int) {
        inner.vacate(slot: slot)
        lengths[slot] = nil
    }
}

@Suite("Pipeline, computed beginnings")
struct PrefixReuseTests {
    private let prompt = String(repeating: "a long prompt that four choices share ", count: 4)

    private func pipeline(_ engine: HonestEngine, cacheBytes: Int = 1 << 20) -> Pipeline {
        Pipeline(
            engine: engine,
            batch: .init(minimum: 8, maximum: 8),
            prefixCacheBytes: cacheBytes,
            clock: TestClock().read
        )
    }

    @Test("Siblings compute their prompt once, also after earlier streams whose places they take")
    func siblings() {
        let engine = HonestEngine()
        var pipeline = pipeline(engine)
        for stream in 1...4 {
            pipeline.start(assignment(UInt64(stream), prompt: "old prompt number \(stream)", tokens: 3))
        }
        _ = run(&pipeline)
        for stream in 1...4 { pipeline.acknowledge(stream: StreamID(rawValue: UInt64(stream)), through: 3, limit: 3) }
        #expect(pipeline.present == 0)
        for stream in 11...14 { pipeline.start(assignment(UInt64(stream), prompt: prompt, tokens: 3)) }
        let collected = run(&pipeline)
        #expect(collected.ends.count == 4)
        #expect(engine.faults == [])
        #expect(engine.restored.suffix(3) == [148, 148, 148])
        #expect(pipeline.counters.cachedTokens == UInt64(engine.restored.reduce(0, +)))
    }

    @Test("A stream without credit in the middle of its prompt is neither copied nor waited for")
    func leaderWithoutCredit() {
        let engine = HonestEngine()
        var pipeline = pipeline(engine)
        pipeline.start(assignment(1, prompt: prompt, tokens: 3, limit: 0))
        var result = StepResult()
        for _ in 0..<3 { _ = pipeline.step(into: &result) }
        pipeline.start(assignment(2, prompt: prompt, tokens: 3))
        #expect(run(&pipeline).ends.count == 1)
        #expect(engine.faults == [])
    }

    @Test("A sibling whose leader is revoked in the middle of its prompt goes on by itself")
    func revokedLeader() {
        let engine = HonestEngine()
        var pipeline = pipeline(engine)
        pipeline.start(assignment(1, prompt: prompt, tokens: 3))
        pipeline.start(assignment(2, prompt: prompt, tokens: 3))
        var result = StepResult()
        _ = pipeline.step(into: &result)
        pipeline.revoke(stream: StreamID(rawValue: 1), epoch: Epoch(rawValue: 1))
        let collected = run(&pipeline)
        #expect(collected.ends.keys.sorted() == [2])
        #expect(engine.faults == [])
    }

    @Test("Where memory is short nothing is copied, and what was is dropped")
    func shortMemory() {
        let engine = HonestEngine()
        var pipeline = pipeline(engine)
        pipeline.start(assignment(1, prompt: prompt, tokens: 3))
        _ = run(&pipeline)
        #expect(pipeline.prefixCacheBytes == 152)
        pipeline.memoryChanged([.report(.critical), .dropPrefixCache], level: .critical)
        #expect(pipeline.prefixCacheBytes == 0)
        pipeline.start(assignment(2, prompt: prompt, tokens: 3))
        _ = run(&pipeline)
        #expect(pipeline.prefixCacheBytes == 0)
        #expect(engine.restored == [])
    }

    @Test("Limits beyond all bounds from a peer count for nothing more than the highest")
    func hugeLimits() {
        var pipeline = scripted(ScriptedEngine.ofX(slots: 4))
        for stream in 1...4 { pipeline.start(assignment(UInt64(stream), prompt: "p", tokens: 30, limit: 0)) }
        _ = run(&pipeline)
        for stream in 1...4 {
            pipeline.acknowledge(stream: StreamID(rawValue: UInt64(stream)), through: 0, limit: .max)
        }
        #expect(run(&pipeline).ends.count == 4)
    }

    @Test("A job that wants its tokens faster than any pass does not starve the others")
    func oneWish() {
        let engine = ScriptedEngine.ofX(slots: 4)
        let clock = TestClock()
        engine.passing = { clock.advance(milliseconds: 4) }
        var pipeline = Pipeline(engine: engine, batch: .init(minimum: 1, maximum: 4), clock: clock.read)
        var wish = assignment(1, prompt: "short", tokens: 300)
        wish.request.interTokenTarget = .milliseconds(1)
        pipeline.start(wish)
        for stream in 2...4 { pipeline.start(assignment(UInt64(stream), prompt: "other", tokens: 50)) }
        var result = StepResult()
        var ends: [UInt64] = []
        while pipeline.step(into: &result) { ends += result.ends.map(\.stream.rawValue) }
        #expect(ends.count == 4)
        #expect(ends.last == 1)
    }

    @Test("Prompts that nobody waits for do not count as time between tokens")
    func idlePrefill() {
        let engine = ScriptedEngine.ofX(slots: 4)
        let clock = TestClock()
        engine.passing = { clock.advance(milliseconds: 10) }
        var pipeline = Pipeline(
            engine: engine,
            batch: .init(minimum: 1, maximum: 8, policy: .aimd),
            clock: clock.read
        )
        for stream in 1...4 {
            pipeline.start(assignment(UInt64(stream), prompt: String(repeating: "p", count: 400), tokens: 12))
        }
        _ = run(&pipeline)
        #expect(pipeline.batchLimit > 1)
    }
}
