import ApusCore
import ApusModel
import Testing

@testable import ApusSimulator

@Suite("Scale runs")
struct ScaleTests {
    /// The tests look at nothing that is measured.
    private static let clock: @Sendable () -> Duration = { .zero }

    @Test func `A storm that kills half of ten workers breaks no promise`() {
        let report = ScaleSimulation.run(ScaleWorld(workers: 10, seed: 7), clock: Self.clock)
        #expect(report.world.violations.isEmpty)
        #expect(!report.world.isLate)
        #expect(report.streams == 100)
        #expect(report.concurrent == 100)
        #expect(report.completed + report.failed == 100)
        #expect(report.lost > 0)
        #expect(report.failovers >= report.lost)
        #expect(report.dispatch.count >= report.streams + report.lost)
        #expect(report.placement.count > 0)
        #expect(report.releasedAfter != nil)
        #expect(report.endedAfter != nil)
    }

    @Test func `Measuring a world changes nothing of it`() {
        let configuration = ScaleWorld(workers: 10, seed: 3).configuration()
        var plain = World(configuration)
        var measured = World(configuration, probe: ScaleProbe(configuration: configuration, clock: Self.clock))
        #expect(plain.run() == measured.run())
    }

    @Test func `All streams of a machine that is measured run at once`() {
        let memory = MachineMemory(ScaleWorld(workers: 100, seed: 7), resident: { 0 })
        #expect(memory.running == memory.machines * memory.streams)
    }

    @Test func `A sample weighs its times by the decisions that they stand for`() {
        var sample = TimeSample()
        sample.add(.nanoseconds(990), weight: 99)
        sample.add(.nanoseconds(1_000))
        #expect(sample.count == 100)
        #expect(sample.mean == 19.9)
        #expect(sample.p99 == 1_000)
    }
}
