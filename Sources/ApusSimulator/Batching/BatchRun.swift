import ApusCore
import ApusModel

/// One run of a batching scenario.
struct BatchRun {
    private struct Stream {
        var came: Double
        var prompt: Int
        var output: Int
        var filled = 0
        var drawn = 0
        var lastToken = 0.0
    }

    private let scenario: BatchScenario
    private var controller: BatchController
    private var noise: SeededRandom
    private var coming: [Stream]
    private var waiting: [Stream] = []
    private var running: [Stream] = []
    /// Virtual time in milliseconds.
    private var now = 0.0
    private var tokens = 0
    private var steps = 0
    private var rows = 0
    private var gaps: [Double] = []
    private var firstTokens: [Double] = []

    /// Draws the load.
    init(_ scenario: BatchScenario, policy: BatchPolicy, seed: UInt64) {
        self.scenario = scenario
        controller = BatchController(
            settings: BatchController.Settings(
                minimum: scenario.batch.lowerBound,
                maximum: scenario.batch.upperBound,
                targetLatency: scenario.target,
                longestLatency: scenario.target * 2,
                policy: policy
            )
        )
        noise = SeededRandom(seed: seed, for: .faults)
        coming = Self.load(of: scenario, seed: seed)
    }

    /// Runs until every stream has ended.
    mutating func run() -> BatchOutcome {
        while !coming.isEmpty || !waiting.isEmpty || !running.isEmpty { step() }
        return outcome
    }

    // MARK: -

    private static func load(of scenario: BatchScenario, seed: UInt64) -> [Stream] {
        var random = SeededRandom(seed: seed, for: .workload)
        var streams: [Stream] = []
        var moment = 0.0
        let length = scenario.length.milliseconds
        let period = (scenario.phases.burst + scenario.phases.calm) * 1_000
        while true {
            let isBurst = moment.truncatingRemainder(dividingBy: period) < scenario.phases.burst * 1_000
            let rate = isBurst ? scenario.arrivals.burst : scenario.arrivals.calm
            // The rate may change before the next arrival; a tenth of a second is short against both phases.
            let step = 100.0
            if random.unit() < rate * step / 1_000 {
                streams.append(
                    Stream(
                        came: moment,
                        prompt: random.doubling(within: scenario.tokens.prompts),
                        output: random.doubling(within: scenario.tokens.outputs)
                    )
                )
            }
            moment += step
            if moment >= length { return streams.reversed() }
        }
    }

    private mutating func step() {
        while let next = coming.last, next.came <= now { waiting.append(coming.removeLast()) }
        guard !running.isEmpty || !waiting.isEmpty else {
            if let next = coming.last { now = max(now, next.came) }
            return
        }
        let limit = controller.decide()
        while running.count < limit, !waiting.isEmpty { running.append(waiting.removeFirst()) }
        let moving = 0..<min(limit, running.count)
        var rows = 0
        var context = 0
        for place in moving where running[place].drawn > 0 {
            rows += 1
            context += running[place].prompt + running[place].drawn
        }
        let prefilled = prefill(moving, budget: prefillBudget(rows: rows, context: context))
        let time = time(rows: rows, context: context, prefilled: prefilled)
        now += time
        if rows > 0 {
            controller.stepMeasured(
                rows: rows,
                contextTokens: context,
                prefillTokens: prefilled,
                latency: .nanoseconds(Int64(time * 1e6))
            )
            steps += 1
            self.rows += rows
        }
        draw(moving)
    }

    /// What the target leaves for prefill beside the rows, in whole chunks and one at least.
    private func prefillBudget(rows: Int, context: Int) -> Int {
        var budget = scenario.prefillBudget
        while budget > scenario.prefillChunk, rows > 0,
            let expected = controller.expectedTime(rows: rows, contextTokens: context, prefillTokens: budget),
            expected > scenario.target
        {
            budget -= scenario.prefillChunk
        }
        return budget
    }

    private mutating func prefill(_ moving: Range<Int>, budget: Int) -> Int {
        var rest = budget
        for place in moving where rest > 0 {
            let part = min(rest, running[place].prompt - running[place].filled)
            running[place].filled += part
            rest -= part
        }
        return budget - rest
    }

    private var pace: Double {
        let part = now / scenario.length.milliseconds
        return part >= scenario.slowness.from && part < scenario.slowness.to ? scenario.slowness.factor : 1
    }

    private mutating func time(rows: Int, context: Int, prefilled: Int) -> Double {
        let cost = scenario.stepCost
        var time = cost.prefill * Double(prefilled)
        if rows > 0 { time += cost.base + cost.row * Double(rows) + cost.context * Double(context) / 1_024 }
        return pace * time * (0.95 + 0.1 * noise.unit()) * (noise.unit() < scenario.hiccups ? 8 : 1)
    }

    private mutating func draw(_ moving: Range<Int>) {
        for place in moving where running[place].filled == running[place].prompt {
            if running[place].drawn == 0 {
                firstTokens.append(now - running[place].came)
            } else {
                gaps.append(now - running[place].lastToken)
            }
            running[place].drawn += 1
            running[place].lastToken = now
            tokens += 1
        }
        running.removeAll { $0.drawn >= $0.output }
    }

    private var outcome: BatchOutcome {
        func quantile(_ values: [Double], _ part: Double) -> Double {
            let sorted = values.sorted()
            return sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, Int(part * Double(sorted.count)))]
        }
        let target = scenario.target.milliseconds
        let kept = gaps.count { $0 <= target }
        let seconds = max(now / 1_000, 0.001)
        var outcome = BatchOutcome()
        outcome.kept = Double(kept) / Double(max(1, gaps.count))
        outcome.tokenTimeP99 = quantile(gaps, 0.99)
        outcome.throughput = Double(tokens) / seconds
        outcome.goodput = Double(kept) / seconds
        outcome.rows = Double(rows) / Double(max(1, steps))
        outcome.firstTokenP50 = quantile(firstTokens, 0.5)
        outcome.firstTokenP99 = quantile(firstTokens, 0.99)
        return outcome
    }
}

extension SeededRandom {
    /// A number from 0 to below 1.
    fileprivate mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// A number of a range, as likely to be in its lower half of doublings as in the upper.
    fileprivate mutating func doubling(within range: ClosedRange<Int>) -> Int {
        var doublings = 0
        while range.lowerBound << (doublings + 1) <= range.upperBound { doublings += 1 }
        let lower = range.lowerBound << below(doublings + 1)
        return within(lower...min(range.upperBound, 2 * lower))
    }
}
