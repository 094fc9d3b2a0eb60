import ApusCore
import ApusModel
import Testing

/// Where two of the machine's subjects meet.
@Suite struct SeamTests {
    private static let other = Fingerprint(high: 2, low: 2)

    private static func held(_ stream: UInt64, epoch: UInt32 = 1, next: Int = 0) -> HeldAttempt {
        HeldAttempt(stream: StreamID(rawValue: stream), epoch: Epoch(rawValue: epoch), next: next)
    }

    @Test func `A worker that is gone is forgotten in time although the coordinator stood still meanwhile`() {
        var bench = MachineBench()
        bench.register(10)
        bench.tell { $0.left(MachineBench.peer(10), at: $1, into: &$2) }
        bench.now = bench.now + .seconds(5)
        bench.tell { _, _, _ in }
        bench.pass(.seconds(601))
        #expect(bench.machine.workerViews.isEmpty)
    }

    @Test func `Streams do not wait for the larger context of a worker that is frozen or leaves`() {
        for isFrozen in [true, false] {
            var bench = MachineBench()
            bench.register(10, slots: 20, context: 2_000)
            for number: UInt64 in 1...20 { bench.submit("k\(number)", number: number) }
            bench.register(11, slots: 30, context: 500)
            if isFrozen {
                let moved = bench.pass(.milliseconds(600), beating: [MachineBench.peer(11)])
                #expect(moved.assignments.count == 20)
            } else {
                bench.tell { $0.leaveRequested(by: MachineBench.peer(10), at: $1, into: &$2) }
                let leaving = ApusError(.shuttingDown, "leaving")
                #expect(bench.step(10, 1, 0..<0, end: .failed, error: leaving).assignments == [[11, 1, 2, 0]])
            }
            #expect(bench.submit("new", number: 99).assignments == [[11, 21, 1, 0]])
        }
    }

    @Test func `A connection that changes its worker's name is still its own when the former name comes back`() {
        var bench = MachineBench()
        bench.register(10, name: "a", incarnation: 1)
        bench.tell { $0.left(MachineBench.peer(10), at: $1, into: &$2) }
        bench.register(10, name: "b", incarnation: 2)
        bench.register(11, name: "a", incarnation: 1)
        #expect(bench.machine.workerName(of: MachineBench.peer(10))?.text == "b")
    }

    @Test func `A reader that grants one token at a time is listed as paused once`() {
        var bench = MachineBench()
        bench.register(10)
        bench.submit(request: GenerationRequest(prompt: "p", maximumTokens: 2_000), credit: 1)
        for index in 0..<1_000 {
            bench.step(10, 1, index..<index + 1)
            bench.tell { $0.credited(by: MachineBench.client, streams: [1], limits: [UInt64(index + 2)], into: &$2) }
        }
        #expect(bench.machine.audit.queued <= 1)
    }

    @Test func `A cancel in the turn of an attach does not let tokens overtake the attach's replay`() throws {
        var bench = MachineBench()
        bench.register(10)
        bench.submit("a")
        let cancelled = try #require(bench.submit("b", number: 2).job)
        bench.step(10, 1, 0..<3)
        let late = ClientPeer(rawValue: 2)
        bench.tell { machine, now, turn in
            _ = machine.clientJoined(late, name: "late")
            machine.attached(by: late, number: 1, job: nil, key: "a", from: 0, credit: 100, into: &turn)
            machine.cancelRequested(by: MachineBench.client, number: 3, job: cancelled, at: now, into: &turn)
            let report = MachineBench.report(1, epoch: 1, 3..<5)
            machine.stepReceived(report, from: MachineBench.peer(10), at: now, into: &turn)
        }
        #expect(bench.sent(to: late).isEmpty)
        #expect(bench.turn.effects.replays == [0..<5])
    }

    @Test func `An attempt is taken up again only by the process that ran it`() {
        var bench = MachineBench()
        bench.register(10)
        bench.submit()
        bench.tell { $0.workerUnreachable(MachineBench.peer(10), at: $1, into: &$2) }
        let effects = bench.register(11, held: [Self.held(1)])
        #expect(effects.contains(.enlist(MachineBench.peer(11), keep: [])))
        #expect(effects.assignments == [[11, 1, 2, 0]])
    }

    @Test func `A worker that comes back as something else keeps nothing`() {
        let changes: [(model: ModelName, fingerprint: Fingerprint)] = [
            (ModelName(unchecked: "n"), MachineBench.fingerprint), (MachineBench.model, Self.other),
        ]
        for change in changes {
            var bench = MachineBench()
            bench.register(10, name: "w", incarnation: 1)
            bench.submit()
            let effects = bench.register(
                11,
                name: "w",
                incarnation: 1,
                model: change.model,
                fingerprint: change.fingerprint,
                held: [Self.held(1)]
            )
            #expect(effects.contains(.enlist(MachineBench.peer(11), keep: [])))
        }
    }

    @Test func `A worker that comes back with fewer slots keeps no more than it has`() {
        var bench = MachineBench()
        bench.register(10, name: "w", incarnation: 1, slots: 2)
        bench.submit("a")
        bench.submit("b", number: 2)
        let held = [Self.held(1), Self.held(1), Self.held(2)]
        let effects = bench.register(11, name: "w", incarnation: 1, slots: 1, held: held)
        #expect(effects.contains(.enlist(MachineBench.peer(11), keep: [held[0]])))
        #expect(bench.machine.workerViews.map(\.leases) == [1])
    }

    @Test func `A worker is not told to keep what it ended in the turn of its registration`() {
        var bench = MachineBench()
        bench.register(10, name: "w", incarnation: 1, slots: 1)
        bench.submit("a")
        bench.submit("b", number: 2)
        let registration = bench.machine.workerViews.map(\.registration)
        let effects = bench.tell { machine, now, turn in
            let peer = MachineBench.peer(11)
            machine.registered(registration[0], held: [Self.held(1)], from: peer, at: now, into: &turn)
            machine.stepReceived(MachineBench.report(1, epoch: 1, 0..<2, end: .stop), from: peer, at: now, into: &turn)
        }
        #expect(effects.contains(.enlist(MachineBench.peer(11), keep: [])))
        #expect(effects.assignments == [[11, 2, 1, 0]])
    }
}
