import ApusCore
import ApusEngine
import ApusModel
import Testing

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
        // Two chunks each, and fourteen batched passes.
        for _ in 0..<20 where pipeline.prepare() != nil { pipeline.perform(into: &result) }
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
        pipeline.start(assignment(2, tokens: 40, limit: 4))
        let collected = run(&pipeline)
        pipeline.acknowledge(stream: StreamID(rawValue: 1), through: 6, limit: 10)
        var again = Collected()
        again.take(pipeline.unacknowledged())
        #expect(again.firstIndex == [1: 6, 2: 0])
        #expect(again.ids[1] == collected.ids[1].map { Array($0[6...]) })
        #expect(again.ids[2] == collected.ids[2])
        #expect(again.ends[1] == collected.ends[1])
        #expect(again.ends[1]?.endIndex == 10)
        // Sixteen tokens wait for the second one's credit.
        #expect(pipeline.held.map(\.next) == [10, 20])
        #expect(pipeline.seated == 1)
        pipeline.acknowledge(stream: StreamID(rawValue: 1), through: 10, limit: 10)
        #expect(pipeline.held.map(\.stream.rawValue) == [2])
        pipeline.keep(only: [])
        #expect(pipeline.present == 0)
        #expect(pipeline.seated == 0)
    }

    @Test("Tokens of prompts and histories count once they are computed; those of a pass that failed for good never do")
    func prefilledTokens() {
        let engine = ScriptedEngine.ofX()
        var pipeline = scripted(engine)
        pipeline.start(assignment(1, prompt: "twelve bytes", tokens: 6))
        _ = run(&pipeline, steps: 1)
        #expect(pipeline.counters.prefilledTokens == 8)
        _ = run(&pipeline)
        #expect(pipeline.counters.prefilledTokens == 12)
        #expect(pipeline.counters.promptTokens == 12)
        pipeline.start(assignment(2, prompt: "four", tokens: 6, history: [0, 0, 0]))
        _ = run(&pipeline)
        #expect(pipeline.counters.prefilledTokens == 19)
        engine.failingSlots = Set(0..<4)
        pipeline.start(assignment(3, prompt: "fails"))
        #expect(run(&pipeline).ends[3]?.reason == .failed)
        #expect(pipeline.counters.prefilledTokens == 19)
    }

    @Test("Revoked in the middle of its prefill a stream leaves no trace")
    func revokedInPrefill() {
        let engine = ScriptedEngine.ofX()
        var pipeline = scripted(engine)
        pipeline.start(assignment(1, prompt: String(repeating: "a", count: 30)))
        _ = run(&pipeline, steps: 2)
        #expect(engine.chunks == [0..<8, 8..<16])
        pipeline.revoke(stream: StreamID(rawValue: 1), epoch: Epoch(rawValue: 1))
        #expect(engine.occupied.isEmpty)
        #expect(run(&pipeline).ids.isEmpty)
        #expect(pipeline.present == 0)
    }

    @Test("A step is one pass, and says how long it takes before it runs")
    func onePassAStep() {
        let engine = ScriptedEngine.ofX()
        var pipeline = scripted(engine)
        for stream in 0..<3 { pipeline.start(assignment(UInt64(stream), prompt: "eleven chars", tokens: 4)) }
        var result = StepResult()
        var passes = 0
        while pipeline.prepare() != nil {
            pipeline.perform(into: &result)
            passes += 1
            #expect(engine.passes.count == passes)
            #expect(result.batchSize == (engine.kinds.last == .drawn ? engine.passes.last?.count : 0))
            #expect(result.stepTime > .zero)
        }
        #expect(pipeline.unfinished == 0)
    }

    @Test("Special tokens have text where the request asks for it")
    func specials() {
        let engine = ScriptedEngine(vocabulary: [Array("x".utf8), Array("<s>".utf8)])
        engine.script = [TokenID(rawValue: 0), TokenID(rawValue: 1)]
        engine.specials = [TokenID(rawValue: 1)]
        var pipeline = scripted(engine)
        var showing = assignment(1, tokens: 4)
        showing.request.showsSpecialTokens = true
        pipeline.start(showing)
        pipeline.start(assignment(2, tokens: 4))
        // A history's text counts the same: "x<s>" is a stop string here, and complete after the next token but two.
        showing = assignment(3, tokens: 9, stop: ["<s>x<s>"], history: [0, 1])
        showing.request.showsSpecialTokens = true
        pipeline.start(showing)
        let collected = run(&pipeline)
        #expect(collected.text(1) == "x<s>x<s>")
        #expect(collected.text(2) == "xx")
        #expect(collected.ids[3]?.count == 2)
        #expect(collected.ends[3]?.reason == .stop)
    }

    @Test("Until its minimum a stream ends neither by the model nor by a stop string")
    func minimumTokens() {
        let engine = ScriptedEngine(vocabulary: [Array("x".utf8), []])
        engine.script = [TokenID(rawValue: 0), TokenID(rawValue: 1)]
        engine.endOfGeneration = TokenID(rawValue: 1)
        var pipeline = scripted(engine)
        for (stream, history) in [(1, 0), (2, 0), (3, 2)] as [(UInt64, Int)] {
            var asking = assignment(
                stream,
                tokens: 20,
                stop: stream == 2 ? ["x"] : [],
                history: (0..<history).map { Int32($0 % 2) }
            )
            asking.request.minimumTokens = 5
            pipeline.start(asking)
        }
        let collected = run(&pipeline)
        // The model's ends are at the odd indexes, the first that counts at 5.
        #expect(collected.ends.mapValues(\.endIndex) == [1: 6, 2: 6, 3: 6])
        #expect(collected.ends.mapValues(\.reason) == [1: .stop, 2: .stop, 3: .stop])
        #expect(collected.text(2) == "xxx")
    }

    @Test("A prompt that fills the context fails; one that leaves less than max_tokens is cut by length")
    func contextLength() {
        let engine = ScriptedEngine.ofX(contextTokens: 20)
        var pipeline = scripted(engine)
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
        #expect(pipeline.held == [HeldAttempt(stream: StreamID(rawValue: 1), epoch: Epoch(rawValue: 3), next: 18)])
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
