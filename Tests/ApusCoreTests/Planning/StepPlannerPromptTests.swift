import ApusCore
import Testing

/// Prompts and histories beside streams that decode.
@Suite("Step planner, prompts beside rows")
struct StepPlannerPromptTests {
    /// A planner as of a real engine, with a stream that decodes: key 0.
    private func decoding(long: Int, short: Int, prefillChunk: Int = 512) -> PlanRunner {
        var runner = PlanRunner(quantum: 8, prefillChunk: prefillChunk, replayChunk: 63)
        runner.arrive(0, prompt: 8)
        runner.step()
        runner.step()
        runner.allowance = PrefillAllowance(long: long, short: short)
        return runner
    }

    @Test("A long prompt runs in pieces within the allowance, and a batched pass comes between")
    func pieces() {
        var runner = decoding(long: 30, short: 400)
        runner.arrive(1, prompt: 1_000)
        let expected = (0..<41).flatMap { ["1:\($0 * 24)..<\($0 * 24 + 24)", "[0]"] } + ["1:984..<1000", "[0, 1]"]
        #expect(runner.trace(84) == expected)
    }

    @Test("An allowance of more than a chunk is spent in several")
    func severalChunks() {
        var runner = decoding(long: 40, short: 400, prefillChunk: 16)
        runner.arrive(1, prompt: 200)
        #expect(runner.trace(5) == ["1:0..<16", "1:16..<32", "1:32..<40", "[0]", "1:40..<56"])
    }

    @Test("A short prompt and a resumed stream get the short allowance", arguments: [100, 128])
    func shortOnes(length: Int) {
        var runner = decoding(long: 8, short: 520)
        runner.arrive(1, prompt: length)
        #expect(runner.trace(2) == ["1:0..<\(length)", "[0, 1]"])
        runner.arrive(2, prompt: 600, history: 20)
        #expect(runner.trace(5) == ["2:0..<512", "2:512..<520", "[0, 1]", "2:520..<600", "2:600..<620"])
        #expect(runner.trace(1) == ["[0, 1, 2]"])
    }

    @Test("One token more than short is long, unless enough of it was found")
    func foundMakesShort() {
        var runner = decoding(long: 8, short: 520)
        runner.arrive(1, prompt: 129)
        runner.arrive(2, prompt: 600)
        runner.planner.begin(batchLimit: 8, into: &runner.plan)
        runner.planner.found(key: 2, tokens: 480)
        runner.finishStep()
        #expect(runner.plan.chunk?.positions == 0..<8)
        #expect(runner.trace(2) == ["2:480..<600", "[0, 2]"])
        #expect(runner.trace(2) == ["1:8..<16", "[0, 2]"])
    }

    @Test("What a long prompt leaves of the allowance goes to short ones, oldest first")
    func leftovers() {
        var runner = decoding(long: 24, short: 100)
        runner.arrive(1, prompt: 1_000)
        for key in 2...4 { runner.arrive(key, prompt: 40) }
        #expect(runner.trace(4) == ["1:0..<24", "2:0..<40", "3:0..<32", "[0, 2]"])
        #expect(runner.trace(4) == ["1:24..<48", "3:32..<40", "4:0..<40", "[0, 2, 3, 4]"])
    }

    @Test("With no allowance at all a quantum runs between two batched passes")
    func progress() {
        var runner = decoding(long: 0, short: 0)
        runner.arrive(1, prompt: 20, history: 12)
        let expected = ["1:0..<8", "[0]", "1:8..<16", "[0]", "1:16..<20", "[0]", "1:20..<32", "[0, 1]"]
        #expect(runner.trace(8) == expected)
    }

    @Test("What ran while nobody decoded counts once somebody does")
    func spentBefore() {
        var runner = PlanRunner(quantum: 8, prefillChunk: 64, allowance: PrefillAllowance(long: 32, short: 48))
        runner.arrive(0, prompt: 64)
        runner.arrive(1, prompt: 40)
        #expect(runner.trace(4) == ["0:0..<64", "[0]", "1:0..<40", "[0, 1]"])
    }

    @Test("Without rows whole chunks run, the oldest prompt's first")
    func alone() {
        var runner = decoding(long: 8, short: 8)
        runner.planner.leave(key: 0)
        runner.arrive(1, prompt: 1_000)
        runner.arrive(2, prompt: 8)
        #expect(runner.trace(4) == ["1:0..<512", "1:512..<1000", "[1]", "2:0..<8"])
    }

    @Test("A paused row is none: the prompt beside it runs in whole chunks")
    func besidePaused() {
        var runner = PlanRunner(quantum: 8, prefillChunk: 64, allowance: PrefillAllowance(long: 8, short: 8))
        runner.arrive(0, prompt: 8, limit: 1)
        runner.arrive(1, prompt: 200, limit: 1)
        #expect(runner.trace(4) == ["0:0..<8", "1:0..<64", "1:64..<128", "1:128..<192"])
    }

    @Test("A held sequence keeps its place and computes nothing until it is released")
    func holding() {
        var runner = PlanRunner(quantum: 8, prefillChunk: 64)
        runner.arrive(0, prompt: 128)
        runner.arrive(1, prompt: 128)
        runner.arrive(2, prompt: 8)
        runner.planner.begin(batchLimit: 2, into: &runner.plan)
        #expect(runner.plan.seats.map(\.key) == [0, 1])
        runner.planner.hold(key: 1)
        #expect(runner.planner.isInPrompt(key: 0))
        #expect(!runner.planner.isInPrompt(key: 1))
        runner.finishStep()
        #expect(runner.plan.chunk?.key == 0)
        #expect(runner.trace(2, batchLimit: 2) == ["0:64..<128", "[0]"])
        #expect(runner.planner.seated == 2, "the third waits: a held one has a place")
        runner.planner.release(key: 1)
        runner.planner.found(key: 1, tokens: 120)
        #expect(runner.planner.isInPrompt(key: 1))
        #expect(runner.trace(1, batchLimit: 2) == ["1:120..<128"])
        #expect(!runner.planner.isInPrompt(key: 1))
        #expect(runner.drawn[1] == [0])
    }

    @Test("A held sequence that leaves gives its slot back")
    func heldLeaves() {
        var runner = PlanRunner(slots: 2)
        for key in 0..<3 { runner.arrive(key, prompt: 4) }
        runner.planner.begin(batchLimit: 2, into: &runner.plan)
        runner.planner.hold(key: 1)
        runner.finishStep()
        #expect(runner.planner.leave(key: 1) == 1)
        runner.step(batchLimit: 2)
        #expect(runner.plan.seats.map(\.key) == [2])
        // A key that is used again is not held.
        runner.planner.leave(key: 2)
        runner.arrive(1, prompt: 4)
        runner.step(batchLimit: 2)
        #expect(runner.drawn[1] == [0])
    }

    @Test("Under random allowances the pieces are whole quanta from position 0 within them", arguments: 0..<30)
    func randomAllowances(seed: Int) {
        var random = SplitMix(seed: UInt64(seed))
        let quantum = [1, 4, 8][random.below(3)]
        let longest = quantum * (1 + random.below(20)) + random.below(quantum)
        var runner = PlanRunner(quantum: quantum, prefillChunk: longest, replayChunk: 3 + random.below(61))
        runner.arrive(0, prompt: 1)
        runner.step()
        let prompts = (0..<5).map { _ in 1 + random.below(500) }
        let histories = (0..<5).map { _ in random.below(2) * random.below(150) }
        for key in 1...5 { runner.arrive(key, prompt: prompts[key - 1], history: histories[key - 1]) }
        var between: [StepPlan.Chunk] = []
        var most = 0
        for _ in 0..<2_000 {
            let short = random.below(4) == 0 ? 0 : random.below(200)
            runner.allowance = PrefillAllowance(long: random.below(short + 1), short: short)
            runner.step()
            most = max(most, short)
            if let chunk = runner.plan.chunk {
                between.append(chunk)
                let sum = between.reduce(0) { $0 + $1.positions.count }
                if between.count > 1, sum > most { Issue.record("seed \(seed): \(sum) tokens, \(most) allowed") }
                continue
            }
            if runner.plan.rows.first?.key != 0 { Issue.record("seed \(seed): the row that waits doesn't move") }
            between = []
            most = 0
        }
        for key in 1...5 {
            let prompt = prompts[key - 1]
            var position = 0
            for chunk in runner.chunks[key] ?? [] {
                #expect(chunk.positions.lowerBound == position)
                position = chunk.positions.upperBound
                if chunk.isPrompt {
                    #expect(chunk.positions.lowerBound % quantum == 0)
                    #expect(position == prompt || position % quantum == 0)
                    #expect(position <= prompt)
                    #expect(chunk.positions.count <= longest)
                } else {
                    #expect(chunk.positions.count % 8 != 0)
                    #expect(chunk.positions.count > 1 || histories[key - 1] == 1)
                }
            }
            #expect(position == prompt + histories[key - 1], "seed \(seed): a prompt came to no end")
            #expect(runner.drawn[key]?.first == histories[key - 1])
        }
    }
}
