import ApusCore
import Testing

@Suite("Step planner")
struct StepPlannerTests {
    @Test("A prompt alone runs in whole chunks from position 0, whatever the allowance", arguments: [0, 1, 16, 1_000])
    func canonicalChunks(allowance: Int) {
        for length in [1, 15, 16, 17, 33, 100] {
            var runner = PlanRunner(allowance: PrefillAllowance(long: allowance, short: allowance))
            runner.arrive(0, prompt: length, limit: 1)
            for _ in 0..<20 { runner.step(batchLimit: 4) }
            let expected = stride(from: 0, to: length, by: 16).map { $0..<min($0 + 16, length) }
            #expect(runner.positions(0) == expected)
            #expect(runner.drawn[0] == [0])
        }
    }

    @Test("A chunk that isn't whole quanta is cut down to some")
    func wholeQuanta() {
        var runner = PlanRunner(quantum: 8, prefillChunk: 23)
        runner.arrive(0, prompt: 40)
        #expect(runner.trace(3) == ["0:0..<16", "0:16..<32", "0:32..<40"])
    }

    @Test(
        "History is replayed in no multiple of 8 and without a lone token, unless it is one",
        arguments: [3, 7, 8, 9, 63]
    )
    func historyChunks(replayChunk: Int) {
        for history in 1...200 {
            var runner = PlanRunner(replayChunk: replayChunk)
            runner.arrive(0, prompt: 20, history: history, limit: history + 1)
            for _ in 0..<history + 10 { runner.step(batchLimit: 1) }
            let chunks = runner.chunks[0] ?? []
            let replayed = runner.positions(0).filter { $0.lowerBound >= 20 }
            #expect(chunks.allSatisfy { $0.isPrompt == ($0.positions.upperBound <= 20) })
            #expect(replayed.first?.lowerBound == 20)
            #expect(replayed.last?.upperBound == 20 + history)
            #expect(zip(replayed, replayed.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound })
            #expect(replayed.allSatisfy { $0.count <= replayChunk && $0.count % 8 != 0 }, "\(replayed)")
            #expect(replayed.allSatisfy { $0.count > 1 || history == 1 }, "\(replayed)")
            #expect(runner.drawn[0] == [history])
        }
    }

    @Test("64 tokens in chunks of at most 63 become 62 and 2; 56 become 55 and, without a lone one, 54 and 2")
    func splitOf64() {
        var runner = PlanRunner(prefillChunk: 128, replayChunk: 63)
        runner.arrive(0, prompt: 10, history: 64)
        #expect(runner.trace(3) == ["0:0..<10", "0:10..<72", "0:72..<74"])
        runner.arrive(1, prompt: 10, history: 56)
        #expect(runner.trace(3) == ["1:0..<10", "1:10..<64", "1:64..<66"])
    }

    @Test(
        "No more than the batch limit run, nobody waits for long, and every sequence is done in the end",
        arguments: 0..<60
    )
    func noStarvation(seed: Int) {
        var random = SplitMix(seed: UInt64(seed))
        var runner = PlanRunner(slots: 6)
        let lengths = (0..<20).map { _ in 1 + random.below(12) }
        let histories = lengths.map { random.below(3) == 0 ? random.below($0) : 0 }
        let prompts = lengths.map { _ in 1 + random.below(random.below(4) == 0 ? 400 : 50) }
        var present: [Int] = []
        var next = 0
        var steps = 0
        // Batched passes since the oldest sequence moved or became the oldest.
        var still = 0
        var oldest: Int?
        while next < lengths.count || !present.isEmpty {
            if next < lengths.count, random.below(2) == 0 {
                runner.arrive(next, prompt: prompts[next], history: histories[next], limit: lengths[next])
                present.append(next)
                next += 1
            }
            let limit = 1 + random.below(8)
            let short = random.below(3) == 0 ? 0 : random.below(64)
            runner.allowance = PrefillAllowance(long: random.below(short + 1), short: short)
            runner.step(batchLimit: limit)
            #expect(runner.plan.rows.count <= limit)
            #expect(runner.plan.rows.map(\.slot) == runner.plan.rows.map(\.slot).sorted())
            #expect(runner.plan.chunk == nil || runner.plan.rows.isEmpty)
            let moved = runner.plan.rows.map(\.key) + (runner.plan.chunk.map { [$0.key] } ?? [])
            still = oldest != present.first || moved.contains { $0 == oldest } ? 0 : still + (moved.count > 0 ? 1 : 0)
            oldest = present.first
            // Six slots take turns.
            #expect(still < 12, "seed \(seed), step \(steps)")
            present.removeAll { key in
                guard runner.drawn[key]?.last == lengths[key] - 1 else { return false }
                runner.planner.leave(key: key)
                return true
            }
            steps += 1
            guard steps < 10_000 else {
                Issue.record("no progress with seed \(seed)")
                return
            }
        }
        for key in lengths.indices { #expect(runner.drawn[key] == Array(histories[key]..<lengths[key])) }
        #expect(runner.planner.seated == 0)
        #expect(!runner.planner.hasWaiting)
    }

    @Test("A sequence at its limit pauses, frees its place and goes on with new credit")
    func credit() {
        var runner = PlanRunner()
        runner.arrive(0, prompt: 4, limit: 2)
        runner.arrive(1, prompt: 4, limit: 9)
        for _ in 0..<3 { runner.step(batchLimit: 1) }
        #expect(runner.drawn[0] == [0, 1])
        #expect(runner.drawn[1] == [0])
        runner.planner.grant(key: 0, limit: 3)
        runner.step(batchLimit: 1)
        #expect(runner.drawn[0] == [0, 1, 2])
        runner.planner.grant(key: 0, limit: 1)
        runner.step(batchLimit: 2)
        #expect(runner.drawn[0] == [0, 1, 2])
        #expect(runner.drawn[1] == [0, 1])
    }

    @Test("Lookahead draws beyond the limit by so much, and ends where it is taken back")
    func lookahead() {
        var runner = PlanRunner()
        runner.arrive(0, prompt: 4, limit: 2)
        for _ in 0..<10 { runner.step(lookahead: 3) }
        #expect(runner.drawn[0] == [0, 1, 2, 3, 4])
        runner.planner.grant(key: 0, limit: 4)
        #expect(runner.trace(1) == ["-"])
        runner.step(lookahead: 3)
        #expect(runner.plan.rows.map(\.limit) == [7])
        #expect(runner.plan.rows.map(\.index) == [5])
        // One that has no credit at all takes its slot, and computes its prompt only ahead.
        runner.arrive(1, prompt: 4, limit: 0)
        #expect(runner.trace(2) == ["-", "-"])
        #expect(runner.planner.seated == 2)
        #expect(!runner.planner.isInPrompt(key: 1))
        runner.step(lookahead: 1)
        #expect(runner.drawn[1] == [0])
    }

    @Test("A limit without end is one")
    func endlessLimit() {
        var runner = PlanRunner()
        runner.arrive(0, prompt: 4, limit: .max)
        runner.arrive(1, prompt: 4, limit: 0)
        runner.planner.grant(key: 1, limit: .max)
        #expect(runner.trace(4, lookahead: 16) == ["0:0..<4", "1:0..<4", "[0, 1]", "[0, 1]"])
        #expect(runner.plan.rows.allSatisfy { $0.limit > 1 << 32 })
    }

    @Test("Several tokens at once count as so many")
    func advanced() {
        var runner = PlanRunner()
        runner.arrive(0, prompt: 4, limit: 9)
        runner.step()
        runner.planner.advanced(key: 0, tokens: 5)
        runner.step()
        #expect(runner.plan.rows.map(\.index) == [6])
        #expect(runner.plan.rows.map(\.position) == [9])
        #expect(runner.plan.rows.map(\.limit) == [9])
    }

    @Test("Under a shrinking limit all take turns, and a growing one brings them together again")
    func shrinkingLimit() {
        var runner = PlanRunner()
        for key in 0..<4 { runner.arrive(key, prompt: 4) }
        #expect(runner.trace(4, batchLimit: 4) == ["0:0..<4", "1:0..<4", "2:0..<4", "3:0..<4"])
        #expect(runner.trace(3, batchLimit: 2) == ["[0, 1]", "[2, 3]", "[0, 1]"])
        #expect(runner.trace(2, batchLimit: 3) == ["[0, 2, 3]", "[0, 1, 2]"])
        #expect(runner.trace(4, batchLimit: 1) == ["[3]", "[0]", "[1]", "[2]"])
        #expect(runner.trace(1, batchLimit: 4) == ["[0, 1, 2, 3]"])
    }

    @Test("A newcomer gets the lowest vacant slot, and a waiting one that leaves is not seated")
    func slots() {
        var runner = PlanRunner(slots: 3)
        for key in 0..<5 { runner.arrive(key, prompt: 4) }
        runner.step()
        #expect(runner.plan.seats.map(\.slot) == [0, 1, 2])
        let freed = [3, 1, 0].map { runner.planner.leave(key: $0) }
        #expect(freed == [nil, 1, 0])
        runner.step()
        #expect(runner.plan.seats.map(\.key) == [4])
        #expect(runner.plan.seats.map(\.slot) == [0])
        #expect(runner.planner.seated == 2)
    }

    @Test("Who leaves between the two halves of a plan is not in it")
    func leftMeanwhile() {
        var runner = PlanRunner()
        for key in 0..<3 { runner.arrive(key, prompt: 4) }
        for _ in 0..<3 { runner.step() }
        runner.arrive(3, prompt: 4)
        runner.planner.begin(batchLimit: 8, into: &runner.plan)
        runner.planner.leave(key: 3)
        runner.planner.leave(key: 1)
        runner.finishStep()
        #expect(runner.plan.chunk == nil)
        #expect(runner.plan.rows.map(\.key) == [0, 2])
    }

    @Test("A large allowance starts hundreds of sequences before the next batched pass")
    func manyStarts() {
        var runner = PlanRunner(slots: 500, prefillChunk: 32)
        for key in 0..<500 { runner.arrive(key, prompt: 20, limit: 9) }
        for _ in 0..<500 { runner.step(batchLimit: 500) }
        #expect(runner.drawn.count == 500)
        runner.step(batchLimit: 500)
        #expect(runner.plan.rows.count == 500)
    }
}
