import ApusCore
import ApusModel
import Testing

/// A journal that can't be read for a while.
@Suite struct ReadFailureTests {
    /// A stream with five tokens that its client has, and a second client that wants them from the first.
    private func begin() -> (MachineBench, JobID) {
        var bench = MachineBench()
        bench.register(10)
        let job = bench.submit("k").job ?? JobID(rawValue: 0)
        bench.step(10, 1, 0..<5)
        return (bench, job)
    }

    private func failed(_ range: Range<Int>, in bench: inout MachineBench) {
        bench.machine.replayFailed(to: MachineBench.client, StreamID(rawValue: 1), range)
    }

    @Test func `Tokens that could not be read come again with the next tick, before any later ones`() {
        var (bench, job) = begin()
        #expect(bench.attach(job: job, from: 2, credit: 100).replays == [2..<5])
        failed(2..<5, in: &bench)
        #expect(!bench.machine.hasWork)
        #expect(bench.step(10, 1, 5..<7).replays.isEmpty)
        #expect(bench.sent().isEmpty)
        bench.now = bench.now + .milliseconds(25)
        #expect(bench.tell { $0.ticked(at: $1, into: &$2) }.replays == [2..<7])
        bench.step(10, 1, 7..<8)
        #expect(bench.sent() == [1: [7..<8]])
    }

    @Test func `An end that was to follow them is told again, after them`() {
        var (bench, job) = begin()
        bench.step(10, 1, 5..<5, end: .stop)
        let effects = bench.attach(job: job, from: 2, credit: 100)
        #expect(effects.replays == [2..<5])
        #expect(effects.ends.count == 1)
        failed(2..<5, in: &bench)
        bench.now = bench.now + .milliseconds(25)
        let again = bench.tell { $0.ticked(at: $1, into: &$2) }
        #expect(again.replays == [2..<5])
        #expect(again.ends == effects.ends)
        bench.now = bench.now + .milliseconds(25)
        #expect(bench.tell { $0.ticked(at: $1, into: &$2) }.ends.isEmpty)
    }

    @Test func `Nothing comes again for a client that is gone, or of a stream that is unknown`() {
        var (bench, job) = begin()
        bench.attach(job: job, from: 2, credit: 100)
        bench.machine.replayFailed(to: MachineBench.client, StreamID(rawValue: 9), 0..<3)
        failed(2..<5, in: &bench)
        bench.tell { machine, _, turn in machine.clientLost(MachineBench.client, into: &turn) }
        failed(2..<5, in: &bench)
        #expect(bench.pass(.milliseconds(100)).replays.isEmpty)
    }

    // MARK: - Assignments

    private func unassigned(_ worker: UInt64, _ epoch: UInt32, in bench: inout MachineBench) {
        bench.tell { machine, now, turn in
            machine.assignmentFailed(
                on: MachineBench.peer(worker),
                StreamID(rawValue: 1),
                Epoch(rawValue: epoch),
                at: now,
                into: &turn
            )
        }
    }

    @Test func `An attempt that could not be sent off waits a while and counts against nobody`() {
        var (bench, _) = begin()
        bench.register(20)
        #expect(bench.lose(10, beating: 20..<21).assignments == [[20, 1, 2, 5]])
        for epoch in UInt32(2)..<6 {
            unassigned(20, epoch, in: &bench)
            #expect(bench.turn.effects.assignments.isEmpty)
            let effects = bench.pass(.milliseconds(600), beating: [MachineBench.peer(20)])
            #expect(effects.assignments == [[20, 1, UInt64(epoch) + 1, 5]])
        }
        #expect(bench.step(20, 1, epoch: 6, 5..<6, end: .stop).ends.map(\.reason) == [.stop])
    }

    @Test func `A hedge that could not be sent off is no hedge`() {
        var (bench, next, effects) = HedgeTests.crawling()
        #expect(effects.assignments == [[11, 1, 2, UInt64(next)]])
        unassigned(11, 2, in: &bench)
        #expect(bench.machine.workerViews.map(\.leases) == [1, 0])
        // The slow worker dies: the stream needs another attempt, and is not thought to run already.
        bench.now = bench.now + .milliseconds(20)
        let after = bench.tell { $0.workerUnreachable(MachineBench.peer(10), at: $1, into: &$2) }
        #expect(after.assignments == [[11, 1, 3, UInt64(next)]])
    }

    @Test func `An attempt that is not the present one stays where it is`() {
        var (bench, _) = begin()
        bench.register(20)
        unassigned(20, 1, in: &bench)
        unassigned(10, 2, in: &bench)
        #expect(bench.machine.counters.active == 1)
        bench.step(10, 1, 5..<6)
        #expect(bench.sent() == [1: [5..<6]])
    }
}
