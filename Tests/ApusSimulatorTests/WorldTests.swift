import ApusCore
import ApusModel
import Testing

@testable import ApusSimulator

@Suite("The simulated world")
struct WorldTests {
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `A world without faults ends with every job complete`(seed: UInt64) {
        var configuration = Swarm(workers: 3, streams: 20).configuration(of: seed)
        configuration.faults = FaultMix()
        for job in configuration.jobs.indices {
            configuration.jobs[job].poisonedIndex = nil
            configuration.jobs[job].request.deadline = nil
        }
        var world = World(configuration)
        let report = world.run()
        #expect(!report.isLate)
        #expect(report.violations.isEmpty)
        #expect(report.faults.allSatisfy { $0 == 0 })
        let streams = configuration.jobs.reduce(0) { $0 + $1.request.choices }
        #expect(world.coordinator.machine.counters.completed == UInt64(streams))
        #expect(report.tokens == configuration.jobs.reduce(0) { $0 + $1.length * $1.request.choices })
    }

    @Test(arguments: 1...50 as ClosedRange<UInt64>)
    func `The same seed is the same execution`(seed: UInt64) {
        let first = Simulation.run(seed: seed, of: Swarm())
        let second = Simulation.trace(seed: seed, of: Swarm())
        #expect(first == second.report)
        #expect(!second.lines.isEmpty)
    }

    @Test(arguments: [Fault.clientFollowed, .clockJumped, .workerLies])
    func `A fault of one kind breaks no promise`(fault: Fault) throws {
        let place = try #require(Fault.allCases.firstIndex(of: fault))
        var count = 0
        for seed in 1...20 as ClosedRange<UInt64> {
            var configuration = Swarm(workers: 2, streams: 20).configuration(of: seed)
            configuration.faults = FaultMix()
            configuration.faults.weights[place] = 1
            configuration.faults.meanInterval = 20_000_000
            var world = World(configuration)
            let report = world.run()
            #expect(report.violations.isEmpty)
            count += report.faults[place]
        }
        #expect(count > 20)
    }

    @Test func `A trace begins with its legend and leaves idle beats out`() {
        let lines = Simulation.trace(seed: 1, of: Swarm()).lines
        #expect(lines.starts(with: Trace.legend))
        #expect(!lines.contains { $0.hasSuffix(" idle ") })
    }

    @Test func `Other seeds are other executions`() {
        let digests = (1...50 as ClosedRange<UInt64>).map { Simulation.run(seed: $0, of: Swarm()).digest }
        #expect(Set(digests).count == 50)
    }

    @Test func `Events come in the order of their moments, then of their planning`() {
        var queue = EventQueue()
        for (place, time) in [5, 1, 3, 1, 5, 0, 3].enumerated() {
            queue.insert(.fault, at: Int64(time), place: place)
        }
        var places: [Int32] = []
        while let event = queue.pop() { places.append(event.place) }
        #expect(places == [5, 1, 3, 2, 6, 0, 4])
    }

    @Test func `A lane keeps the order of its messages and holds them back in a partition`() {
        var lane = Lane<Int>()
        let plans = [lane.send(1, due: 20), lane.send(2, due: 10)]
        #expect(plans == [true, false])
        #expect(lane.receive(at: 19) == nil)
        #expect(lane.hold(true, due: 15) == 20)
        #expect(lane.receive(at: 20) == nil)
        #expect(lane.send(3, due: 40) == false)
        #expect(lane.hold(false, due: 30) == 40)
        #expect(lane.receive(at: 20) == 1)
        lane.cut(keeping: 0)
        #expect(lane.receive(at: 99) == nil)
    }

    @Test func `The disk reads streams back across batches, and loses what was not synced`() {
        var disk = SimulatedDisk()
        let stream = StreamID(rawValue: 2)
        func columns(_ first: Int, _ ids: [Int32]) -> TokenColumns {
            var columns = TokenColumns()
            columns.streams = [stream.rawValue]
            columns.epochs = [1]
            columns.firstIndexes = [UInt64(first)]
            columns.counts = [UInt32(ids.count)]
            columns.ids = ids
            columns.textLengths = ids.map { _ in 1 }
            columns.text = ids.map { UInt8($0) }
            return columns
        }
        disk.append(SimulatedBatch(tokens: [columns(0, [10, 11]), columns(2, [12])], records: []))
        disk.sync()
        disk.append(SimulatedBatch(tokens: [columns(3, [13, 14])], records: []))
        disk.sync()
        disk.append(SimulatedBatch(tokens: [columns(5, [15])], records: []))
        _ = disk.crash(.lost)
        #expect(disk.count(of: stream) == 5)
        #expect(disk.history(of: stream, count: 5) == [10, 11, 12, 13, 14])
        #expect(disk.history(of: stream, count: 6) == nil)
        var read = TokenColumns()
        #expect(disk.read(stream, 1..<4, into: &read))
        #expect(read.ids == [11, 12, 13])
        #expect(read.text == [11, 12, 13])
        #expect(read.firstIndexes == [1])
    }
}
