import ApusCore

/// Runs plans as a perfect engine would and keeps what each sequence got.
struct PlanRunner {
    /// What bounds nothing.
    static let plenty = PrefillAllowance(long: 1 << 20, short: 1 << 20)

    var planner: StepPlanner
    var allowance: PrefillAllowance
    var plan = StepPlan()
    var chunks: [Int: [StepPlan.Chunk]] = [:]
    var drawn: [Int: [Int]] = [:]

    init(
        slots: Int = 8,
        quantum: Int = 4,
        prefillChunk: Int = 16,
        replayChunk: Int = 7,
        allowance: PrefillAllowance = plenty
    ) {
        planner = StepPlanner(slots: slots, quantum: quantum, prefillChunk: prefillChunk, replayChunk: replayChunk)
        self.allowance = allowance
    }

    /// Lets a sequence arrive that may draw as much as it wants.
    mutating func arrive(_ key: Int, prompt: Int, history: Int = 0, limit: Int = 1_000_000) {
        planner.arrive(key: key, promptTokens: prompt, historyTokens: history, limit: limit)
    }

    /// Plans a pass and runs it.
    mutating func step(batchLimit: Int = 8, lookahead: Int = 0) {
        planner.begin(batchLimit: batchLimit, lookahead: lookahead, into: &plan)
        finishStep()
    }

    /// Completes a plan that has begun, and runs it.
    mutating func finishStep() {
        planner.complete(allowance: allowance, into: &plan)
        if let chunk = plan.chunk {
            planner.chunkRun(chunk)
            chunks[chunk.key, default: []].append(chunk)
            if let index = chunk.drawing { drawn[chunk.key, default: []].append(index) }
        }
        planner.rowsRun(plan.rows)
        for row in plan.rows { drawn[row.key, default: []].append(row.index) }
    }

    /// The chunks' places of a sequence.
    func positions(_ key: Int) -> [Range<Int>] { chunks[key]?.map(\.positions) ?? [] }

    /// Runs some passes and writes each as a word: `1:0..<8` for a chunk, `[0 2]` for rows, `-` for nothing.
    mutating func trace(_ steps: Int, batchLimit: Int = 8, lookahead: Int = 0) -> [String] {
        (0..<steps).map { _ in
            step(batchLimit: batchLimit, lookahead: lookahead)
            if let chunk = plan.chunk { return "\(chunk.key):\(chunk.positions)" }
            return plan.rows.isEmpty ? "-" : "\(plan.rows.map(\.key))"
        }
    }
}
