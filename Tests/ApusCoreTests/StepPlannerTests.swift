import ApusCore
import Testing

/// Runs plans as a perfect engine would and keeps what each sequence got.
private struct PlanRunner {
    var planner: StepPlanner
    var plan = StepPlan()
    var chunks: [Int: [StepPlan.Chunk]] = [:]
    var drawn: [Int: [Int]] = [:]

    init(slots: Int = 8, prefillChunk: Int = 16, replayChunk: Int = 7, prefillBudget: Int = 16) {
        planner = StepPlanner(
            slots: slots,
            prefillChunk: prefillChunk,
            replayChunk: replayChunk,
            prefillBudget: prefillBudget
        )
    }

    mutating func step(batchLimit: Int) {
        planner.plan(batchLimit: batchLimit, into: &plan)
        for chunk in plan.chunks {
            planner.chunkRun(chunk)
            chunks[chunk.key, default: []].append(chunk)
            if let index = chunk.drawing { drawn[chunk.key, default: []].append(index) }
        }
        planner.rowsRun(plan.rows)
        for row in plan.rows { drawn[row.key, default: []].append(row.index) }
    }
}

@Suite("Step planner")
struct StepPlannerTests {
    @Test("A prompt runs in fixed chunks from position 0, whatever the budget", arguments: [1, 16, 40, 1_000])
    func canonicalChunks(budget: Int) {
        for length in [1, 15, 16, 17, 33, 100] {
            var runner = PlanRunner(prefillBudget: budget)
            runner.planner.arrive(key: 0, promptTokens: length, historyTokens: 0, limit: 1)
            for _ in 0..<20 { runner.step(batchLimit: 4) }
            let positions = runner.chunks[0]?.map(\.positions) ?? []
            let expected = stride(from: 0, to: length, by: 16).map { $0..<min($0 + 16, length) }
            #expect(positions == expected)
            #expect(runner.drawn[0] == [0])
        }
    }

    @Test("History is replayed without a lone token, unless it is one", arguments: 1...60)
    func historyChunks(history: Int) {
        var runner = PlanRunner()
        runner.planner.arrive(key: 0, promptTokens: 20, historyTokens: history, limit: history + 1)
        for _ in 0..<40 { runner.step(batchLimit: 1) }
        let replayed = runner.chunks[0]?.map(\.positions).filter { $0.lowerBound >= 20 } ?? []
        #expect(replayed.first?.lowerBound == 20)
        #expect(replayed.last?.upperBound == 20 + history)
        #expect(zip(replayed, replayed.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound })
        #expect(replayed.allSatisfy { $0.count <= 7 && ($0.count > 1 || history == 1) })
        #expect(runner.drawn[0] == [history])
    }

    @Test("64 tokens in chunks of at most 63 become 62 and 2")
    func splitOf64() {
        var runner = PlanRunner(prefillChunk: 128, replayChunk: 63, prefillBudget: 1_000)
        runner.planner.arrive(key: 0, promptTokens: 10, historyTokens: 64, limit: 100)
        runner.step(batchLimit: 1)
        #expect(runner.plan.chunks.map(\.positions) == [0..<10, 10..<72, 72..<74])
    }

    @Test("No more than the batch limit run, oldest first, and every sequence is done in the end")
    func noStarvation() {
        var random = SeededGenerator(seed: 7)
        for _ in 0..<50 {
            var runner = PlanRunner(slots: 6, prefillBudget: Int.random(in: 1...64, using: &random))
            let lengths = (0..<20).map { _ in Int.random(in: 1...12, using: &random) }
            var present: [Int] = []
            var next = 0
            var steps = 0
            while next < lengths.count || !present.isEmpty {
                if next < lengths.count, Bool.random(using: &random) {
                    runner.planner.arrive(
                        key: next,
                        promptTokens: Int.random(in: 1...50, using: &random),
                        historyTokens: 0,
                        limit: lengths[next]
                    )
                    present.append(next)
                    next += 1
                }
                let limit = Int.random(in: 1...8, using: &random)
                runner.step(batchLimit: limit)
                let running = Set(runner.plan.rows.map(\.key)).union(runner.plan.chunks.map(\.key))
                #expect(running.count <= limit)
                #expect(runner.plan.rows.map(\.slot) == runner.plan.rows.map(\.slot).sorted())
                // The oldest with credit always moves.
                if let oldest = present.first { #expect(running.contains(oldest)) }
                present.removeAll { key in
                    guard runner.drawn[key]?.count == lengths[key] else { return false }
                    runner.planner.leave(key: key)
                    return true
                }
                steps += 1
                if steps > 10_000 {
                    Issue.record("no progress")
                    return
                }
            }
            for (key, length) in lengths.enumerated() { #expect(runner.drawn[key] == Array(0..<length)) }
        }
    }

    @Test("A sequence at its limit pauses, frees its place and goes on with new credit")
    func credit() {
        var runner = PlanRunner()
        runner.planner.arrive(key: 0, promptTokens: 4, historyTokens: 0, limit: 2)
        runner.planner.arrive(key: 1, promptTokens: 4, historyTokens: 0, limit: 9)
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

    @Test("A shrinking limit pauses the youngest and a growing one brings them back")
    func shrinkingLimit() {
        var runner = PlanRunner(prefillBudget: 1_000)
        for key in 0..<4 { runner.planner.arrive(key: key, promptTokens: 4, historyTokens: 0, limit: 100) }
        runner.step(batchLimit: 4)
        runner.step(batchLimit: 2)
        #expect(runner.plan.rows.map(\.key) == [0, 1])
        runner.step(batchLimit: 3)
        #expect(runner.plan.rows.map(\.key) == [0, 1, 2])
    }

    @Test("A newcomer gets the lowest vacant slot, and a waiting one that leaves is not seated")
    func slots() {
        var runner = PlanRunner(slots: 3, prefillBudget: 1_000)
        for key in 0..<5 { runner.planner.arrive(key: key, promptTokens: 4, historyTokens: 0, limit: 100) }
        runner.step(batchLimit: 8)
        #expect(runner.plan.seats.map(\.slot) == [0, 1, 2])
        let freed = [3, 1, 0].map { runner.planner.leave(key: $0) }
        #expect(freed == [nil, 1, 0])
        runner.step(batchLimit: 8)
        #expect(runner.plan.seats.map(\.key) == [4])
        #expect(runner.plan.seats.map(\.slot) == [0])
        #expect(runner.planner.seated == 2)
    }

    @Test("A large budget starts thousands of sequences in one step")
    func manyStarts() {
        var runner = PlanRunner(slots: 4_096, prefillBudget: 1 << 20)
        for key in 0..<4_096 { runner.planner.arrive(key: key, promptTokens: 20, historyTokens: 0, limit: 9) }
        runner.step(batchLimit: 4_096)
        #expect(runner.drawn.count == 4_096)
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014), so that a seed is one run.
private struct SeededGenerator: RandomNumberGenerator {
    var seed: UInt64

    mutating func next() -> UInt64 {
        seed &+= 0x9E37_79B9_7F4A_7C15
        var bits = seed
        bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
        return bits ^ (bits >> 31)
    }
}
