import ApusCore
import ApusEngine
import ApusModel
import Testing

/// What streams got from a pipeline.
private struct Collected {
    var ids: [UInt64: [Int32]] = [:]
    var texts: [UInt64: [UInt8]] = [:]
    var firstIndex: [UInt64: Int] = [:]
    var ends: [UInt64: AttemptEnd] = [:]

    mutating func take(_ result: StepResult) {
        #expect(result.tokens.isValid)
        var token = 0
        var byte = 0
        for row in 0..<result.tokens.rows {
            let stream = result.tokens.streams[row]
            #expect(ends[stream] == nil, "a token after the end")
            let index = Int(result.tokens.firstIndexes[row])
            let first = firstIndex[stream] ?? index
            firstIndex[stream] = first
            #expect(index == first + (ids[stream]?.count ?? 0))
            for _ in 0..<result.tokens.counts[row] {
                let length = Int(result.tokens.textLengths[token])
                ids[stream, default: []].append(result.tokens.ids[token])
                texts[stream, default: []] += result.tokens.text[byte..<byte + length]
                token += 1
                byte += length
            }
        }
        for end in result.ends { ends[end.stream.rawValue] = end }
    }

    func text(_ stream: UInt64) -> String { String(decoding: texts[stream] ?? [], as: UTF8.self) }
}

private func assignment(
    _ stream: UInt64,
    prompt: String = "tell me of swifts",
    tokens: Int = 24,
    stop: [String] = [],
    epoch: UInt32 = 1,
    history: [Int32] = [],
    limit: Int = 1_000
) -> Assignment {
    Assignment(
        stream: StreamID(rawValue: stream),
        epoch: Epoch(rawValue: epoch),
        request: GenerationRequest(prompt: prompt, maximumTokens: tokens, sampling: .init(seed: stream), stop: stop),
        history: history.map { TokenID(rawValue: $0) },
        limit: limit
    )
}

private func simulated(slots: Int = 8, contextTokens: Int = 10_000, endsOneTokenIn: Int = 0) -> Pipeline {
    var configuration = SimulatedEngineConfiguration.free
    configuration.slots = slots
    configuration.contextTokens = contextTokens
    configuration.endsOneTokenIn = endsOneTokenIn
    configuration.prefillChunk = 4
    configuration.replayChunk = 5
    configuration.prefillBudget = 8
    return Pipeline(engine: SimulatedEngine(configuration), batch: .init(minimum: slots, maximum: slots))
}

private func run(_ pipeline: inout Pipeline, steps: Int = .max) -> Collected {
    var collected = Collected()
    var result = StepResult()
    var count = 0
    while count < steps, pipeline.step(into: &result) {
        collected.take(result)
        count += 1
    }
    return collected
}

@Suite("Pipeline")
struct PipelineTests {
    @Test("A stream has the tokens that the engine's pure function says")
    func oracle() {
        var pipeline = simulated()
        pipeline.start(assignment(7, tokens: 40))
        let collected = run(&pipeline)
        let expected = (0..<40).map { SimulatedEngine.token(seed: 7, prompt: "tell me of swifts", index: $0).rawValue }
        #expect(collected.ids[7] == expected)
        #expect(collected.text(7) == SimulatedEngine.text(seed: 7, prompt: "tell me of swifts", count: 40))
        #expect(collected.ends[7]?.reason == .length)
        #expect(collected.ends[7]?.promptTokens == 5)
    }

    @Test("Alone, batched and resumed at every index the tokens are the same", arguments: [0, 9])
    func resumption(endsOneTokenIn: Int) throws {
        var alone = simulated(endsOneTokenIn: endsOneTokenIn)
        alone.start(assignment(1, stop: [" sky wing"]))
        let whole = run(&alone)
        let ids = try #require(whole.ids[1])
        var batched = simulated(endsOneTokenIn: endsOneTokenIn)
        for stream in 0..<12 { batched.start(assignment(UInt64(stream), stop: [" sky wing"])) }
        let together = run(&batched)
        #expect(together.ids[1] == ids)
        #expect(together.text(1) == whole.text(1))
        #expect(together.ends.count == 12)
        for index in 0...ids.count {
            var resumed = simulated(endsOneTokenIn: endsOneTokenIn)
            resumed.start(assignment(5, prompt: "another one"))
            resumed.start(assignment(1, stop: [" sky wing"], epoch: 2, history: Array(ids[..<index])))
            let rest = run(&resumed)
            #expect(rest.ids[1] ?? [] == Array(ids[index...]))
            #expect(whole.text(1).hasSuffix(rest.text(1)))
            #expect(rest.ends[1]?.reason == whole.ends[1]?.reason)
            #expect(rest.ends[1]?.epoch == Epoch(rawValue: 2))
            // Also where every token is history and only the end is missing.
            #expect(rest.ends[1]?.endIndex == ids.count)
        }
    }

    @Test("A stream stops at its limit and goes on when it is raised")
    func credit() {
        var pipeline = simulated()
        pipeline.start(assignment(1, limit: 5))
        #expect(run(&pipeline).ids[1]?.count == 5)
        pipeline.acknowledge(stream: StreamID(rawValue: 1), through: 3, limit: 9)
        let more = run(&pipeline)
        #expect(more.firstIndex[1] == 5)
        #expect(more.ids[1]?.count == 4)
        pipeline.acknowledge(stream: StreamID(rawValue: 1), through: 9, limit: 2)
        #expect(run(&pipeline).ids.isEmpty)
    }

    @Test("Tokens of several steps are taken as one row a stream, without those of a revoked attempt")
    func takenTogether() {
        var pipeline = simulated()
        for stream in 1...3 { pipeline.start(assignment(UInt64(stream), tokens: 30)) }
        var result = StepResult()
        for _ in 0..<10 where pipeline.prepare() != nil { pipeline.perform(into: &result) }
        #expect(result.tokens.isEmpty)
        #expect(pipeline.untakenTokens > 10)
        pipeline.revoke(stream: StreamID(rawValue: 2), epoch: Epoch(rawValue: 1))
        pipeline.takeTokens(into: &result.tokens)
        #expect(pipeline.untakenTokens == 0)
        #expect(result.tokens.isValid)
        #expect(result.tokens.streams == [1, 3])
        let first = result.tokens.tokens
        pipeline.acknowledge(stream: StreamID(rawValue: 1), through: 2, limit: 30)
        pipeline.takeTokens(into: &result.tokens)
        #expect(result.tokens.tokens == first)
        var collected = Collected()
        collected.take(result)
        let rest = run(&pipeline)
        for stream in [1, 3] as [UInt64] {
            let text = collected.text(stream) + rest.text(stream)
            #expect(text == SimulatedEngine.text(seed: stream, prompt: "tell me of swifts", count: 30))
        }
    }

    @Test("What is not acknowledged is kept, the end as well, and forgotten with the acknowledgement")
    func resending() {
        var pipeline = simulated()
        pipeline.start(assignment(1, tokens: 10))
        pipeline.start(assignment(2, tokens: 10, limit: 4))
        let collected = run(&pipeline)
        pipeline.acknowledge(stream: StreamID(rawValue: 1), through: 6, limit: 10)
        var again = Collected()
        again.take(pipeline.unacknowledged())
        #expect(again.firstIndex == [1: 6, 2: 0])
        #expect(again.ids[1] == collected.ids[1].map { Array($0[6...]) })
        #expect(again.ids[2] == collected.ids[2])
        #expect(again.ends[1] == collected.ends[1])
        #expect(again.ends[1]?.endIndex == 10)
        #expect(pipeline.held.map(\.next) == [10, 4])
        #expect(pipeline.seated == 1)
        pipeline.acknowledge(stream: StreamID(rawValue: 1), through: 10, limit: 10)
        #expect(pipeline.held.map(\.stream.rawValue) == [2])
        pipeline.keep(only: [])
        #expect(pipeline.present == 0)
        #expect(pipeline.seated == 0)
    }

    @Test("Tokens of prompts and histories count once they are computed; those of a failed pass never do")
    func prefilledTokens() {
        let engine = ScriptedEngine(vocabulary: [Array("x".utf8)])
        engine.script = [TokenID(rawValue: 0)]
        var pipeline = Pipeline(engine: engine)
        pipeline.start(assignment(1, prompt: "twelve bytes", tokens: 6))
        _ = run(&pipeline, steps: 1)
        // A step's budget is one chunk of eight.
        #expect(pipeline.prefilledTokens == 8)
        _ = run(&pipeline)
        #expect(pipeline.prefilledTokens == 12)
        pipeline.start(assignment(2, prompt: "four", tokens: 6, history: [0, 0, 0]))
        _ = run(&pipeline)
        #expect(pipeline.prefilledTokens == 19)
        engine.failingSlots = Set(0..<4)
        pipeline.start(assignment(3, prompt: "fails"))
        #expect(run(&pipeline).ends[3]?.reason == .failed)
        #expect(pipeline.prefilledTokens == 19)
    }

    @Test("Revoked in the middle of its prefill a stream leaves no trace")
    func revokedInPrefill() {
        let engine = ScriptedEngine(vocabulary: [Array("x".utf8)])
        engine.script = [TokenID(rawValue: 0)]
        var pipeline = Pipeline(engine: engine, batch: .init(minimum: 4, maximum: 4))
        pipeline.start(assignment(1, prompt: String(repeating: "a", count: 30)))
        _ = run(&pipeline, steps: 2)
        #expect(engine.chunks == [0..<8, 8..<16])
        pipeline.revoke(stream: StreamID(rawValue: 1), epoch: Epoch(rawValue: 1))
        #expect(engine.occupied.isEmpty)
        #expect(run(&pipeline).ids.isEmpty)
        #expect(pipeline.present == 0)
    }

    @Test("A row that fails ends alone; its companions go on")
    func failingRow() {
        let engine = ScriptedEngine(vocabulary: [Array("x".utf8)], prefillBudget: 100)
        engine.script = [TokenID(rawValue: 0)]
        var pipeline = Pipeline(engine: engine, batch: .init(minimum: 4, maximum: 4))
        for stream in 0..<3 { pipeline.start(assignment(UInt64(stream), prompt: "abc", tokens: 6)) }
        var collected = run(&pipeline, steps: 3)
        engine.failingSlots = [1]
        var result = StepResult()
        while pipeline.step(into: &result) { collected.take(result) }
        #expect(collected.ends.mapValues(\.reason) == [0: .length, 1: .failed, 2: .length])
        #expect(collected.ends[1]?.error?.code == .engineFailure)
        #expect(collected.ends.mapValues(\.endIndex) == [0: 6, 1: 3, 2: 6])
        #expect(collected.ids.mapValues(\.count) == [0: 6, 1: 3, 2: 6])
        #expect(Array(engine.passes.suffix(6)) == [[0, 1, 2], [0], [1], [2], [0, 2], [0, 2]])
        #expect(engine.occupied.isEmpty)
    }

    @Test("A chunk that fails ends its stream alone")
    func failingPrefill() {
        let engine = ScriptedEngine(vocabulary: [Array("x".utf8)], prefillBudget: 100)
        engine.script = [TokenID(rawValue: 0)]
        engine.failingSlots = [0]
        var pipeline = Pipeline(engine: engine, batch: .init(minimum: 4, maximum: 4))
        pipeline.start(assignment(1, prompt: String(repeating: "a", count: 30), tokens: 3))
        pipeline.start(assignment(2, prompt: "abc", tokens: 3))
        let collected = run(&pipeline)
        #expect(collected.ends.mapValues(\.reason) == [1: .failed, 2: .length])
        #expect(engine.chunks.filter { $0.upperBound > 8 }.isEmpty)
    }

    @Test("A prompt that fills the context fails; one that leaves less than max_tokens is cut by length")
    func contextLength() {
        let engine = ScriptedEngine(vocabulary: [Array("x".utf8)], contextTokens: 20)
        engine.script = [TokenID(rawValue: 0)]
        var pipeline = Pipeline(engine: engine)
        pipeline.start(assignment(1, prompt: String(repeating: "a", count: 20)))
        pipeline.start(assignment(2, prompt: String(repeating: "a", count: 15), tokens: 100))
        pipeline.start(assignment(3, prompt: "!"))
        // Tokens from a worker with a larger context: they are released, so that the stream ends after them.
        let history = [Int32](repeating: 0, count: 7)
        pipeline.start(assignment(4, prompt: String(repeating: "a", count: 15), tokens: 100, history: history))
        let collected = run(&pipeline)
        #expect(collected.ends[4]?.reason == .length)
        #expect(collected.ends[4]?.endIndex == 7)
        #expect(collected.ids[4] == nil)
        #expect(collected.ends[1]?.error?.code == .promptTooLong)
        #expect(collected.ends[2]?.reason == .length)
        #expect(collected.ids[2]?.count == 5)
        #expect(collected.ends[3]?.error?.code == .invalidRequest)
    }

    @Test("A higher epoch replaces an attempt; the same and a lower one are ignored")
    func epochs() {
        var pipeline = simulated()
        pipeline.start(assignment(1, epoch: 3, limit: 2))
        _ = run(&pipeline)
        pipeline.start(assignment(1, epoch: 3))
        pipeline.start(assignment(1, epoch: 2))
        pipeline.revoke(stream: StreamID(rawValue: 1), epoch: Epoch(rawValue: 2))
        #expect(run(&pipeline).ids.isEmpty)
        #expect(pipeline.held == [HeldAttempt(stream: StreamID(rawValue: 1), epoch: Epoch(rawValue: 3), next: 2)])
        pipeline.start(assignment(1, epoch: 4, limit: 1))
        #expect(run(&pipeline).ids[1]?.count == 1)
        #expect(pipeline.held.first?.epoch == Epoch(rawValue: 4))
    }

    @Test("More attempts than four a slot are refused, and ids outside the vocabulary do no harm")
    func bounds() {
        var pipeline = simulated(slots: 2)
        for stream in 0..<9 { pipeline.start(assignment(UInt64(stream), history: [-5, 999_999], limit: 3)) }
        let collected = run(&pipeline)
        #expect(collected.ends[8]?.error?.code == .overloaded)
        #expect(collected.ends[8]?.endIndex == 2)
        #expect(collected.ids.count == 2)
        #expect(pipeline.present == 8)
    }
}
