import ApusCore
import ApusModel
import Testing

@Suite("Batch controller, aimd")
struct BatchControllerTests {
    private static func settled(
        at size: Int,
        _ settings: BatchController.Settings = .init(policy: .aimd)
    ) -> BatchController {
        var controller = BatchController(settings: settings)
        controller.feed(.milliseconds(1), times: size - settings.minimum + 2)
        return controller
    }

    @Test(
        "The first size follows the accelerator's memory",
        arguments: [(0, 1), (4_000, 1), (4_001, 4), (8_000, 4), (8_001, 8), (80_000, 8)]
    )
    func firstSize(megabytes: Int, expected: Int) {
        #expect(BatchController(acceleratorMemoryMB: megabytes).limit == expected)
    }

    @Test("The first size stays inside the bounds")
    func firstSizeInsideBounds() {
        #expect(BatchController(settings: .init(minimum: 1, maximum: 3), acceleratorMemoryMB: 9_000).limit == 3)
        #expect(BatchController(settings: .init(minimum: 6, maximum: 9), acceleratorMemoryMB: 5_000).limit == 6)
    }

    @Test("Two batches decide nothing; the third adds one")
    func thirdBatchDecides() {
        var controller = BatchController(settings: .init(policy: .aimd))
        controller.feed(.milliseconds(10), times: 2)
        #expect(controller.limit == 1)
        controller.feed(.milliseconds(10))
        #expect(controller.limit == 2)
    }

    @Test("Only the mean of the last three counts")
    func meanOfThree() {
        var controller = BatchController(settings: .init(policy: .aimd))
        controller.feed(.milliseconds(1_000), times: 7)
        controller.feed(.milliseconds(10), times: 2)
        #expect(controller.limit == 1)
        controller.feed(.milliseconds(10))
        #expect(controller.limit == 2)
    }

    @Test("At the target exactly, and up to the longest latency, nothing changes")
    func deadBand() {
        var controller = Self.settled(at: 5)
        let before = controller.limit
        controller.feed(.milliseconds(100), times: 2)
        let moved = controller.limit
        controller.feed(.milliseconds(100))
        controller.feed(.milliseconds(200), times: 3)
        #expect(moved == before + 2)
        #expect(controller.limit == moved)
    }

    @Test("Above the longest latency one goes")
    func tooSlow() {
        var controller = Self.settled(at: 5)
        let before = controller.limit
        controller.feed(.milliseconds(700))
        #expect(controller.limit == before - 1)
    }

    @Test("Without throughput nothing is added")
    func noThroughput() {
        var controller = BatchController(settings: .init(policy: .aimd))
        for _ in 0..<5 { controller.stepMeasured(rows: 0, contextTokens: 0, latency: .milliseconds(1)) }
        #expect(controller.limit == 1)
    }

    @Test("An unsteady network halves, a steady one does not", arguments: [(0.69, 4), (0.7, 8), (1, 8)])
    func network(stability: Double, expected: Int) {
        var controller = Self.settled(at: 8)
        controller.networkMeasured(stability: stability)
        #expect(controller.limit == expected)
    }

    @Test("Memory pressure halves and says whether that changed anything")
    func memoryPressure() {
        var controller = Self.settled(at: 8)
        var changes: [Bool] = []
        var limits: [Int] = []
        for _ in 0..<4 {
            changes.append(controller.memoryPressureNoticed())
            limits.append(controller.limit)
        }
        #expect(changes == [true, true, true, false])
        #expect(limits == [4, 2, 1, 1])
    }

    @Test("The limit never leaves the bounds")
    func bounds() {
        var controller = BatchController(settings: .init(minimum: 2, maximum: 4, policy: .aimd))
        controller.feed(.milliseconds(1), times: 50)
        #expect(controller.limit == 4)
        controller.feed(.seconds(2), times: 50)
        #expect(controller.limit == 2)
    }

    @Test("New bounds pull the limit inside at once")
    func reconfigure() {
        var controller = Self.settled(at: 10)
        controller.configure(maximum: 6)
        #expect(controller.limit == 6)
        controller.configure(minimum: 8, maximum: 12)
        #expect(controller.limit == 8)
        controller.configure()
        #expect(controller.settings == .init(minimum: 8, maximum: 12, policy: .aimd))
    }

    @Test("Bounds that make no sense are pulled to ones that do")
    func senselessBounds() {
        let settings = BatchController.Settings(minimum: -3, maximum: -9)
        #expect(settings.minimum == 1)
        #expect(settings.maximum == 1)
    }
}

extension BatchController {
    fileprivate mutating func feed(_ latency: Duration, times: Int = 1) {
        for _ in 0..<times { stepMeasured(rows: max(1, limit), contextTokens: 100, latency: latency) }
    }
}
