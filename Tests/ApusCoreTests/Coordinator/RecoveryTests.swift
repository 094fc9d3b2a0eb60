import ApusCore
import ApusModel
import Testing

/// A coordinator that dies and its successor that has the journal.
@Suite struct RecoveryTests {
    /// What was committed, turn by turn.
    private struct Log {
        var batches: [(tokens: [TokenColumns], records: [JournalRecord])] = []

        mutating func take(_ turn: Turn) { batches.append((turn.tokens, turn.records)) }

        /// A machine that was told everything, the first `repeated` batches twice.
        func machine(at now: Timestamp, repeated: Int = 0) -> CoordinatorMachine {
            var machine = CoordinatorMachine(settings: CoordinatorSettings(secret: 7))
            for batch in batches.prefix(repeated) + batches {
                for tokens in batch.tokens { machine.replayed(tokens) }
                for record in batch.records { machine.replayed(record) }
            }
            machine.recovered(at: now)
            return machine
        }
    }

    /// Two streams on worker 10, the first with three tokens, and one that waits.
    private func begin() -> (MachineBench, Log) {
        var bench = MachineBench()
        var log = Log()
        bench.register(10, slots: 2)
        for key in ["a", "b", "c"] {
            bench.submit(key)
            log.take(bench.turn)
        }
        bench.step(10, 1, 0..<3)
        log.take(bench.turn)
        return (bench, log)
    }

    private func successor(of bench: MachineBench, _ log: Log, repeated: Int = 0) -> MachineBench {
        var next = bench
        next.machine = log.machine(at: bench.now, repeated: repeated)
        next.turn = Turn()
        next.tell { machine, _, _ in _ = machine.clientJoined(MachineBench.client, name: "test") }
        return next
    }

    @Test func `Attempts that their worker still holds go on under the same epoch`() {
        let (former, log) = begin()
        var bench = successor(of: former, log)
        let held = [
            HeldAttempt(stream: StreamID(rawValue: 1), epoch: Epoch(rawValue: 1), next: 5),
            HeldAttempt(stream: StreamID(rawValue: 2), epoch: Epoch(rawValue: 1), next: 0),
        ]
        let effects = bench.register(20, name: "w10", incarnation: 10, slots: 2, held: held)
        #expect(effects.contains(.enlist(MachineBench.peer(20), keep: held)))
        #expect(effects.assignments.isEmpty)
        bench.step(20, 1, 3..<5)
        #expect(bench.turn.tokens.map(\.tokens) == [2])
        #expect(bench.machine.jobViews(limit: 9).map(\.state) == ["queued", "streaming", "streaming"])
    }

    @Test func `What its worker does not hold any more goes on elsewhere at once`() {
        let (former, log) = begin()
        var bench = successor(of: former, log)
        let effects = bench.register(20, name: "w10", incarnation: 11, slots: 4)
        #expect(effects.assignments == [[20, 1, 2, 3], [20, 2, 2, 0], [20, 3, 1, 0]])
    }

    @Test func `Streams of a worker that does not come back wait for it a while`() {
        let (former, log) = begin()
        var bench = successor(of: former, log)
        #expect(bench.register(30, slots: 4).assignments == [[30, 3, 1, 0]])
        #expect(bench.pass(.seconds(1), beating: [MachineBench.peer(30)]).assignments.isEmpty)
        #expect(
            bench.pass(.seconds(2), beating: [MachineBench.peer(30)]).assignments == [[30, 1, 2, 3], [30, 2, 2, 0]]
        )
    }

    @Test func `Replaying any prefix twice changes nothing`() {
        let (former, log) = begin()
        let once = successor(of: former, log).machine
        for repeated in 1...log.batches.count {
            let twice = successor(of: former, log, repeated: repeated).machine
            #expect(twice.jobViews(limit: 9) == once.jobViews(limit: 9))
            #expect(twice.counters == once.counters)
        }
    }

    @Test func `A known key answers with its job after a restart, and numbers go on`() {
        let (former, log) = begin()
        var bench = successor(of: former, log)
        let effects = bench.submit("b")
        guard case .accept(_, _, _, let stream, _, _) = effects.first else {
            Issue.record("not accepted: \(effects)")
            return
        }
        #expect(stream == StreamID(rawValue: 2))
        guard case .accept(_, _, _, let fresh, _, _) = bench.submit("d").first else {
            Issue.record("not accepted")
            return
        }
        #expect(fresh == StreamID(rawValue: 4))
    }

    @Test func `Ended streams stay ended, and a deadline is not given anew`() {
        var (former, log) = begin()
        former.step(10, 1, 3..<4, end: .stop)
        log.take(former.turn)
        former.now = former.now + .seconds(599)
        var bench = successor(of: former, log)
        #expect(bench.machine.jobViews(limit: 9).last?.state == "stop")
        bench.pass(.seconds(2))
        #expect(bench.machine.jobViews(limit: 9).map(\.state) == ["expired", "expired", "stop"])
    }

    @Test func `A worker that comes back with another model after a restart does not take over what it ran`() {
        let (former, log) = begin()
        var bench = successor(of: former, log)
        let effects = bench.register(20, name: "w10", incarnation: 11, model: ModelName(unchecked: "n"), slots: 4)
        #expect(effects.assignments == [[20, 3, 1, 0]])
        #expect(bench.register(30, slots: 4).assignments == [[30, 1, 2, 3], [30, 2, 2, 0]])
    }
}
