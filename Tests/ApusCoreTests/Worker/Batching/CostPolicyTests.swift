import ApusCore
import ApusModel
import Testing

@Suite("Batch controller, cost")
struct CostPolicyTests {
    /// A machine whose steps take what a straight line says, a few per cent more or less.
    private struct Machine {
        var base = 10.0
        var row = 2.0
        var context = 1.0
        var prefill = 0.2
        var factor = 1.0
        var noise = 0.05
        var random = SplitMix(seed: 7)

        mutating func latency(rows: Int, context tokens: Int, prefill prefillTokens: Int = 0) -> Duration {
            let time =
                base + row * Double(rows) + context * Double(tokens) / 1_024 + prefill * Double(prefillTokens)
            let spread = 1 + noise * (Double(random.below(2_001)) / 1_000 - 1)
            return .nanoseconds(Int64(time * factor * spread * 1e6))
        }
    }

    private static func settings(
        _ milliseconds: Int = 60,
        minimum: Int = 1,
        maximum: Int = 64
    ) -> BatchController.Settings {
        .init(minimum: minimum, maximum: maximum, targetLatency: .milliseconds(milliseconds), policy: .cost)
    }

    /// Runs full batches and gives the limits that they ran under.
    private static func run(
        _ controller: inout BatchController,
        _ machine: inout Machine,
        steps: Int,
        contextPerRow: Int = 100,
        tightest: Duration? = nil
    ) -> [Int] {
        (0..<steps).map { _ in
            let rows = controller.decide(tightestTarget: tightest)
            let latency = machine.latency(rows: rows, context: rows * contextPerRow)
            controller.stepMeasured(rows: rows, contextTokens: rows * contextPerRow, latency: latency)
            return rows
        }
    }

    private static func settled(_ machine: inout Machine) -> BatchController {
        var controller = BatchController(settings: settings())
        _ = run(&controller, &machine, steps: 200)
        return controller
    }

    @Test("The limit doubles up to the largest batch that keeps the target, and stays")
    func growth() {
        var machine = Machine()
        var controller = BatchController(settings: Self.settings())
        let limits = Self.run(&controller, &machine, steps: 200)
        #expect(Array(limits.prefix(5)) == [1, 2, 4, 8, 15])
        // 10 + 2.1 n <= 60 gives 23; some of it is kept for noise.
        #expect(limits.suffix(100).allSatisfy { (19...23).contains($0) })
        #expect(Set(limits.suffix(100)).count <= 2)
    }

    @Test("A limit is never more than twice the largest batch that has run")
    func boundedGrowth() {
        var machine = Machine()
        var controller = BatchController(settings: Self.settings())
        for _ in 0..<50 {
            controller.stepMeasured(rows: 3, contextTokens: 30, latency: machine.latency(rows: 3, context: 30))
        }
        let limit = controller.decide()
        #expect(limit == 6)
    }

    @Test("One step that takes ten times as long takes nothing away, at any moment", arguments: [1, 2, 5, 30, 150])
    func outlier(moment: Int) {
        var machine = Machine()
        var controller = BatchController(settings: Self.settings())
        _ = Self.run(&controller, &machine, steps: moment)
        let before = controller.limit
        let latency = machine.latency(rows: before, context: before * 100) * 10
        controller.stepMeasured(rows: before, contextTokens: before * 100, latency: latency)
        let after = controller.decide()
        #expect(after >= before - 1)
        let limits = Self.run(&controller, &machine, steps: 100)
        #expect(limits.allSatisfy { $0 >= before - 2 })
        #expect(controller.limit >= 18)
    }

    @Test("A machine three times slower is noticed after three steps, and its recovery as soon")
    func pace() {
        var machine = Machine()
        var controller = Self.settled(&machine)
        let before = controller.limit
        machine.factor = 3
        let slow = Self.run(&controller, &machine, steps: 60)
        // 30 + 6.3 n <= 60 gives 4.
        #expect(slow.dropFirst(5).allSatisfy { (1...5).contains($0) })
        #expect(slow.last.map { $0 >= 3 } == true)
        machine.factor = 1
        let fast = Self.run(&controller, &machine, steps: 60)
        #expect(fast.dropFirst(6).allSatisfy { $0 >= before - 4 })
        #expect(fast.suffix(20).allSatisfy { $0 <= 23 })
    }

    @Test("A growing context takes rows away before the target is broken")
    func context() {
        var machine = Machine()
        var controller = Self.settled(&machine)
        var late = 0
        var longest = Duration.zero
        for step in 0..<1_300 {
            let perRow = 100 + step * 3
            let rows = controller.decide()
            let latency = machine.latency(rows: rows, context: rows * perRow)
            if latency > .milliseconds(60) { late += 1 }
            longest = max(longest, latency)
            controller.stepMeasured(rows: rows, contextTokens: rows * perRow, latency: latency)
        }
        // 10 + (2 + 4) n <= 60 gives 8.
        #expect((6...8).contains(controller.limit))
        #expect(late < 65)
        #expect(longest < .milliseconds(66))
    }

    @Test("The tightest target of the running jobs counts, as long as they run")
    func tightest() {
        var machine = Machine()
        var controller = Self.settled(&machine)
        let before = controller.limit
        let targets: [Duration?] = [.milliseconds(30), .seconds(10), .nanoseconds(1), nil]
        let limits = targets.map { controller.decide(tightestTarget: $0) }
        #expect((6...9).contains(limits[0]))
        #expect(limits[1] == before)
        #expect(limits[2] == 1)
        #expect(limits[3] >= before - 1)
    }

    @Test("Usual prefill gets its share of the step")
    func prefill() {
        var machine = Machine()
        var controller = Self.settled(&machine)
        let before = controller.limit
        for _ in 0..<150 {
            let rows = controller.decide()
            let latency = machine.latency(rows: rows, context: rows * 100, prefill: 64)
            controller.stepMeasured(rows: rows, contextTokens: rows * 100, prefillTokens: 64, latency: latency)
        }
        // 64 tokens take 12.8 ms, as much as six rows.
        #expect((before - 9...before - 4).contains(controller.limit))
        let with = controller.expectedTime(rows: 10, contextTokens: 1_000, prefillTokens: 64) ?? .zero
        let without = controller.expectedTime(rows: 10, contextTokens: 1_000) ?? .zero
        #expect((10.0...16.0).contains((with - without).milliseconds))
    }

    @Test("The expected time is what steps take")
    func expectedTime() {
        var machine = Machine()
        #expect(BatchController().expectedTime(rows: 1, contextTokens: 1) == nil)
        let controller = Self.settled(&machine)
        let rows = controller.limit
        let expected = controller.expectedTime(rows: rows, contextTokens: rows * 100)?.milliseconds ?? 0
        let actual = 10 + 2 * Double(rows) + Double(rows * 100) / 1_024
        #expect(abs(expected / actual - 1) < 0.03)
    }

    @Test("Memory pressure halves, holds, and is over by and by once it is eased")
    func memory() {
        var machine = Machine()
        var controller = Self.settled(&machine)
        let before = controller.limit
        let hasChanged = controller.memoryPressureNoticed()
        #expect(hasChanged)
        let held = Self.run(&controller, &machine, steps: 50)
        #expect(held.allSatisfy { $0 == before / 2 })
        controller.memoryPressureEased()
        let limits = Self.run(&controller, &machine, steps: 200)
        #expect(zip(limits, limits.dropFirst()).allSatisfy { $1 <= $0 + 1 })
        #expect(controller.limit >= before - 1)
    }

    @Test("An unsteady network halves each time, a steady one lets the batch come back")
    func network() {
        var machine = Machine()
        var controller = Self.settled(&machine)
        let before = controller.limit
        controller.networkMeasured(stability: 0.5)
        controller.networkMeasured(stability: 0.5)
        #expect(controller.limit == before / 4)
        let held = Self.run(&controller, &machine, steps: 20)
        #expect(held.allSatisfy { $0 == before / 4 })
        controller.networkMeasured(stability: 0.9)
        _ = Self.run(&controller, &machine, steps: 200)
        #expect(controller.limit >= before - 1)
    }

    @Test("A batch that was slow for another reason is tried again")
    func wrongBelief() {
        var controller = BatchController(settings: Self.settings(50))
        for _ in 0..<50 { controller.stepMeasured(rows: 1, contextTokens: 100, latency: .milliseconds(1)) }
        for _ in 0..<40 { controller.stepMeasured(rows: 6, contextTokens: 600, latency: .milliseconds(400)) }
        let shrunken = controller.decide()
        #expect(shrunken == 1)
        for _ in 0..<200 {
            let rows = min(6, controller.decide())
            controller.stepMeasured(rows: rows, contextTokens: 100 * rows, latency: .milliseconds(1))
        }
        let recovered = controller.decide()
        #expect(recovered >= 6)
    }

    @Test("A target that can't be kept gives the minimum")
    func hopeless() {
        var machine = Machine()
        var controller = BatchController(settings: Self.settings(5, minimum: 2))
        let limits = Self.run(&controller, &machine, steps: 50)
        #expect(limits.allSatisfy { $0 == 2 })
    }

    @Test("Policy, target and bounds change while it runs, without forgetting the costs")
    func configure() {
        var machine = Machine()
        var controller = Self.settled(&machine)
        controller.configure(target: .milliseconds(30))
        let tight = controller.decide()
        #expect((6...9).contains(tight))
        controller.configure(policy: .aimd, target: .milliseconds(100))
        #expect(controller.settings.longestLatency == .milliseconds(200))
        let limit = controller.limit
        controller.stepMeasured(rows: limit, contextTokens: 0, latency: .milliseconds(20))
        #expect(controller.limit == limit + 1)
        controller.configure(maximum: 5, policy: .cost)
        let bounded = controller.decide()
        #expect(bounded == 5)
    }

    @Test("Absurd facts neither trap nor break the bounds")
    func absurd() {
        var controller = BatchController(settings: Self.settings())
        let latencies: [Duration] = [.zero, .seconds(-5), .seconds(1 << 62), .nanoseconds(1), .milliseconds(20)]
        for step in 0..<500 {
            let rows = [0, 1, -4, Int.max, 7][step % 5]
            controller.stepMeasured(
                rows: rows,
                contextTokens: [Int.max, 0, -1][step % 3],
                prefillTokens: [0, Int.max, -9, 3][step % 4],
                latency: latencies[(step / 3) % 5]
            )
            let limit = controller.decide(tightestTarget: step % 7 == 0 ? .seconds(-1) : nil)
            #expect((1...64).contains(limit))
            #expect((controller.expectedTime(rows: 4, contextTokens: 400) ?? .zero) >= .zero)
        }
    }
}
