import ApusCore
import ApusEngine
import ApusModel
import Testing

/// What a failing engine does to streams, and to their companions.
@Suite("Pipeline, failures")
struct PipelineFailureTests {
    /// Three streams of six tokens, each with its first three.
    private func underway(_ engine: ScriptedEngine, into collected: inout Collected) -> Pipeline {
        var pipeline = scripted(engine)
        for stream in 0..<3 { pipeline.start(assignment(UInt64(stream), prompt: "abc", tokens: 6)) }
        run(&pipeline, steps: 5, into: &collected)
        #expect(collected.ids.mapValues(\.count) == [0: 3, 1: 3, 2: 3])
        return pipeline
    }

    @Test("A row that fails ends alone; its companions go on")
    func failingRow() {
        let engine = ScriptedEngine.ofX()
        var collected = Collected()
        var pipeline = underway(engine, into: &collected)
        engine.failingSlots = [1]
        run(&pipeline, into: &collected)
        #expect(collected.ends.mapValues(\.reason) == [0: .length, 1: .failed, 2: .length])
        #expect(collected.ends[1]?.error?.code == .engineFailure)
        #expect(collected.ends.mapValues(\.endIndex) == [0: 6, 1: 3, 2: 6])
        #expect(collected.ids.mapValues(\.count) == [0: 6, 1: 3, 2: 6])
        #expect(collected.ends.mapValues { $0.summary?.errors } == [0: 1, 1: 2, 2: 1])
        #expect(collected.ends.mapValues { $0.summary?.recovered } == [0: 1, 1: 0, 2: 1])
        #expect(Array(engine.passes.suffix(6)) == [[0, 1, 2], [0], [1], [2], [0, 2], [0, 2]])
        #expect(engine.occupied.isEmpty)
    }

    @Test("A draw that fails ends its stream, without another pass")
    func failingDraw() {
        let engine = ScriptedEngine.ofX()
        var collected = Collected()
        var pipeline = underway(engine, into: &collected)
        engine.failingDraws = [1]
        run(&pipeline, into: &collected)
        #expect(collected.ends.mapValues(\.reason) == [0: .length, 1: .failed, 2: .length])
        #expect(collected.ends[1]?.error?.code == .engineFailure)
        #expect(collected.ends[1]?.promptTokens == 3)
        #expect(collected.ends.mapValues(\.endIndex) == [0: 6, 1: 3, 2: 6])
        #expect(collected.ends.mapValues { $0.summary?.errors } == [0: 0, 1: 1, 2: 0])
        #expect(collected.ids.mapValues(\.count) == [0: 6, 1: 3, 2: 6])
        #expect(Array(engine.passes.suffix(3)) == [[0, 1, 2], [0, 2], [0, 2]])
        #expect(pipeline.counters.errors == 1)
        #expect(pipeline.counters.recovered == 0)
        #expect(engine.occupied.isEmpty)
    }

    @Test("A draw that fails after the prompt ends its stream before its first token")
    func failingFirstDraw() {
        let engine = ScriptedEngine.ofX()
        engine.failingDraws = [0]
        var pipeline = scripted(engine)
        pipeline.start(assignment(1, prompt: String(repeating: "a", count: 12), tokens: 3))
        pipeline.start(assignment(2, prompt: "abc", tokens: 3, history: [0]))
        let collected = run(&pipeline)
        #expect(collected.ends.mapValues(\.reason) == [1: .failed, 2: .length])
        #expect(collected.ends.mapValues(\.endIndex) == [1: 0, 2: 3])
        #expect(engine.chunks == [0..<8, 8..<12, 0..<3])
    }

    @Test("A batched pass that fails once harms nobody, and every row's summary tells of it")
    func batchRecovers() {
        let engine = ScriptedEngine.ofX()
        var collected = Collected()
        var pipeline = underway(engine, into: &collected)
        engine.failures = 1
        run(&pipeline, into: &collected)
        #expect(collected.ids.mapValues(\.count) == [0: 6, 1: 6, 2: 6])
        #expect(collected.ends.values.allSatisfy { $0.reason == .length && $0.endIndex == 6 })
        #expect(collected.ends.values.allSatisfy { $0.summary?.errors == 1 && $0.summary?.recovered == 1 })
        #expect(pipeline.counters.errors == 3)
        #expect(pipeline.counters.recovered == 3)
        #expect(Array(engine.passes.suffix(6)) == [[0, 1, 2], [0], [1], [2], [0, 1, 2], [0, 1, 2]])
    }

    @Test("Where the first row's own pass fails as well, that one ends")
    func batchFailsTwice() {
        let engine = ScriptedEngine.ofX()
        var collected = Collected()
        var pipeline = underway(engine, into: &collected)
        engine.failures = 2
        run(&pipeline, into: &collected)
        #expect(collected.ends.mapValues(\.reason) == [0: .failed, 1: .length, 2: .length])
        #expect(collected.ends[0]?.endIndex == 3)
        #expect(pipeline.counters.errors == 4)
        #expect(pipeline.counters.recovered == 2)
    }

    @Test("A draw that fails in a row's own pass ends that row")
    func drawFailsAlone() {
        let engine = ScriptedEngine.ofX()
        var collected = Collected()
        var pipeline = underway(engine, into: &collected)
        engine.failures = 1
        engine.failingDraws = [2]
        run(&pipeline, into: &collected)
        #expect(collected.ends.mapValues(\.reason) == [0: .length, 1: .length, 2: .failed])
        #expect(collected.ends[2]?.summary?.errors == 2)
        #expect(collected.ends[2]?.summary?.recovered == 0)
    }

    @Test("A prompt's pass that fails once is run again", arguments: [0, 1, 2])
    func promptRecovers(after passes: Int) {
        let engine = ScriptedEngine.ofX()
        var pipeline = scripted(engine)
        pipeline.start(assignment(1, prompt: "twelve bytes", tokens: 3, history: [0, 0]))
        var collected = Collected()
        run(&pipeline, steps: passes, into: &collected)
        engine.failures = 1
        run(&pipeline, into: &collected)
        #expect(collected.ids[1]?.count == 1)
        #expect(collected.ends[1]?.reason == .length)
        #expect(collected.ends[1]?.summary?.errors == 1)
        #expect(collected.ends[1]?.summary?.recovered == 1)
        #expect(pipeline.counters.errors == 1)
        #expect(pipeline.counters.recovered == 1)
        #expect(pipeline.counters.prefilledTokens == 14)
    }

    @Test("One that fails twice ends its stream alone, with what is known of it")
    func promptFails() {
        let engine = ScriptedEngine.ofX()
        engine.failingSlots = [0]
        var pipeline = scripted(engine)
        pipeline.start(assignment(1, prompt: String(repeating: "a", count: 30), tokens: 3))
        pipeline.start(assignment(2, prompt: "abc", tokens: 3))
        let collected = run(&pipeline)
        #expect(collected.ends.mapValues(\.reason) == [1: .failed, 2: .length])
        #expect(collected.ends[1]?.error?.code == .engineFailure)
        #expect(collected.ends[1]?.promptTokens == 30)
        #expect(collected.ends[1]?.endIndex == 0)
        #expect(collected.ends[1]?.summary?.errors == 2)
        #expect(collected.ends[1]?.summary?.recovered == 0)
        #expect(engine.chunks.prefix(2) == [0..<8, 0..<8])
        #expect(engine.chunks.filter { $0.upperBound > 8 }.isEmpty)
        #expect(pipeline.counters.errors == 2)
    }

    @Test("A stream that can't take its slot ends at once, and the slot goes to the next one")
    func failingOccupation() {
        let engine = ScriptedEngine.ofX(slots: 1)
        var pipeline = scripted(engine)
        pipeline.start(assignment(1, prompt: "?", tokens: 3, history: [0]))
        pipeline.start(assignment(2, prompt: "abc", tokens: 3))
        var collected = Collected()
        run(&pipeline, steps: 1, into: &collected)
        #expect(collected.ends[1]?.reason == .failed)
        #expect(collected.ends[1]?.error?.code == .engineFailure)
        #expect(collected.ends[1]?.endIndex == 1)
        run(&pipeline, into: &collected)
        #expect(collected.ends[2]?.reason == .length)
        #expect(pipeline.counters.promptTokens == 3)
        #expect(engine.occupied.isEmpty)
        #expect(pipeline.seated == 0)
        pipeline.acknowledge(1, through: 1, limit: 1_000)
        pipeline.acknowledge(2, through: 3, limit: 1_000)
        #expect(pipeline.present == 0)
    }

    @Test("Where the time to the first token went adds up")
    func firstTokenStages() throws {
        let clock = TestClock()
        clock.tick = 0
        let engine = ScriptedEngine.ofX()
        engine.tokenizing = { clock.advance(milliseconds: 3) }
        engine.passing = { clock.advance(milliseconds: 7) }
        engine.drawTime = .milliseconds(2)
        var pipeline = scripted(engine, clock: clock)
        pipeline.start(assignment(1, prompt: "abc", tokens: 30))
        clock.advance(milliseconds: 5)
        var result = StepResult()
        let isDone = pipeline.step(into: &result)
        #expect(isDone)
        let first = try #require(result.firstTokens.first)
        #expect(first.stream == StreamID(rawValue: 1))
        #expect(first.epoch == Epoch(rawValue: 1))
        #expect(
            first.stages
                == FirstTokenStages(
                    tokenize: .milliseconds(3),
                    dispatch: .milliseconds(5),
                    prefill: .milliseconds(5),
                    sample: .milliseconds(2),
                    promptTokens: 3
                )
        )
        #expect(result.prefillTimes == [.milliseconds(7)])

        // A prompt in pieces and a history, with batched passes between them.
        let arrived = clock.nanoseconds
        pipeline.start(assignment(2, prompt: "eleven more", tokens: 2, history: [0]))
        var firsts: [FirstToken] = []
        while firsts.isEmpty, pipeline.step(into: &result) {
            #expect(result.stepTime == .milliseconds(7))
            firsts += result.firstTokens
        }
        let second = try #require(firsts.first)
        #expect(second.stages.total == .nanoseconds(clock.nanoseconds - arrived))
        #expect(second.stages.tokenize == .milliseconds(3))
        #expect(second.stages.promptTokens == 11)
        #expect(firsts.count == 1)
    }

    @Test("A session's summary tells its tokens, their times and the batch")
    func summary() throws {
        let clock = TestClock()
        clock.tick = 0
        let engine = ScriptedEngine.ofX()
        engine.passing = { clock.advance(milliseconds: 10) }
        var pipeline = scripted(engine, clock: clock)
        for stream in 0..<3 { pipeline.start(assignment(UInt64(stream), prompt: "abc", tokens: 9)) }
        var collected = Collected()
        run(&pipeline, steps: 6, into: &collected)
        pipeline.memoryMeasured(bytes: 500)
        pipeline.memoryMeasured(bytes: 300)
        run(&pipeline, into: &collected)
        let summary = try #require(collected.ends[2]?.summary)
        #expect(summary.tokens == 9)
        #expect(summary.meanTokenTime == .milliseconds(10))
        #expect(summary.p95TokenTime >= .milliseconds(10) && summary.p95TokenTime < .milliseconds(12))
        #expect(summary.batchSize == 3)
        #expect(summary.peakMemoryBytes == 500)
        #expect(summary.errors == 0)
        #expect(summary.recovered == 0)
    }
}
