import ApusCore
import ApusModel
import Testing

@Suite struct CoordinatorMachineTests {
    @Test func `A stream goes from submit to its end`() {
        var bench = MachineBench()
        bench.register(10)
        let accepted = bench.submit()
        #expect(accepted.job != nil)
        #expect(accepted.assignments == [[10, 1, 1, 0]])
        #expect(bench.turn.records.count == 2)
        #expect(bench.step(10, 1, 0..<2).isEmpty)
        #expect(bench.sent() == [1: [0..<2]])
        #expect(bench.turn.tokens.map(\.tokens) == [2])
        let end = bench.step(10, 1, 2..<3, end: .stop).ends.first
        #expect(bench.sent() == [1: [2..<3]])
        #expect(end?.reason == .stop)
        #expect(end?.usage == Usage(promptTokens: 7, completionTokens: 3))
        #expect(end?.continuity == .exact)
        #expect(end?.attempts == 1)
        #expect(bench.machine.counters.completed == 1)
        #expect(bench.machine.counters.active == 0)
    }

    @Test func `What is visible was made durable in the same turn`() {
        var bench = MachineBench()
        bench.register(10)
        bench.submit()
        guard case .accepted(let record) = bench.turn.records.first, case .leased = bench.turn.records.last else {
            Issue.record("accepted and leased are not journaled")
            return
        }
        #expect(record.request.sampling.seed != nil)
        bench.step(10, 1, 0..<100, end: .length)
        #expect(bench.turn.tokens.first?.tokens == 100)
        guard case .ended(_, let end, _) = bench.turn.records.last else {
            Issue.record("the end is not journaled")
            return
        }
        #expect(end.reason == .length)
    }

    @Test func `A lost worker's stream goes on elsewhere with its history`() {
        var bench = MachineBench()
        bench.register(10)
        bench.submit()
        bench.step(10, 1, 0..<3)
        bench.register(11)
        let effects = bench.tell { $0.workerUnreachable(MachineBench.peer(10), at: $1, into: &$2) }
        #expect(effects.assignments == [[11, 1, 2, 3]])
        #expect(bench.machine.counters.failovers == 1)
        bench.step(11, 1, epoch: 2, 3..<4)
        #expect(bench.sent() == [1: [3..<4]])
        let end = bench.step(11, 1, epoch: 2, 4..<5, end: .stop).ends.first
        #expect(end?.continuity == .exact)
        #expect(end?.attempts == 2)
        #expect(end?.usage.completionTokens == 5)
    }

    @Test func `Another fingerprint continues consistently, and an equal one is preferred`() {
        var bench = MachineBench()
        bench.register(10)
        bench.submit()
        bench.step(10, 1, 0..<1)
        bench.register(11, slots: 100, fingerprint: Fingerprint(high: 9, low: 9))
        bench.register(12, slots: 1)
        let preferred = bench.tell { $0.workerUnreachable(MachineBench.peer(10), at: $1, into: &$2) }
        #expect(preferred.assignments == [[12, 1, 2, 1]])
        bench.step(12, 1, epoch: 2, 1..<2)
        let other = bench.lose(12, beating: 11..<12)
        #expect(other.assignments == [[11, 1, 3, 2]])
        let end = bench.step(11, 1, epoch: 3, 2..<3, end: .stop).ends.first
        #expect(end?.continuity == .consistent)
    }

    @Test func `A stream lost before its first token is restarted`() {
        var bench = MachineBench()
        bench.register(10)
        bench.submit()
        bench.register(11)
        bench.tell { $0.workerUnreachable(MachineBench.peer(10), at: $1, into: &$2) }
        #expect(bench.step(11, 1, epoch: 2, 0..<1, end: .stop).ends.first?.continuity == .restart)
    }

    @Test func `A late return is fenced by its epoch`() {
        var bench = MachineBench()
        bench.register(10)
        bench.submit()
        bench.step(10, 1, 0..<2)
        bench.register(11)
        bench.pass(.milliseconds(600), beating: [MachineBench.peer(11)])
        #expect(bench.machine.workerViews.first?.state == "suspect")
        let late = bench.step(10, 1, 2..<9, end: .stop)
        #expect(late.ends.isEmpty)
        #expect(bench.sent().isEmpty)
        #expect(bench.turn.tokens.isEmpty)
        #expect(bench.machine.counters.stale == 2)
        #expect(late.contains(.enlist(MachineBench.peer(10), keep: [])))
        #expect(bench.turn.revocations.first?.streams == [1, 1])
        bench.step(11, 1, epoch: 2, 2..<3)
        #expect(bench.sent() == [1: [2..<3]])
    }

    @Test func `Repeated tokens are trimmed and a gap ends the attempt`() {
        var bench = MachineBench()
        bench.register(10)
        bench.submit()
        bench.step(10, 1, 0..<4)
        bench.step(10, 1, 2..<6)
        #expect(bench.sent() == [1: [4..<6]])
        #expect(bench.turn.tokens.first?.ids == [4, 5])
        #expect(bench.turn.tokens.first?.text == Array("<4><5>".utf8))
        bench.step(10, 1, 0..<6)
        #expect(bench.sent().isEmpty)
        let gap = bench.step(10, 1, 7..<8)
        #expect(bench.turn.tokens.isEmpty)
        #expect(gap.assignments == [[10, 1, 2, 6]])
        #expect(bench.machine.counters.violations == 1)
    }

    @Test func `A worker can't make a stream longer than asked`() {
        var bench = MachineBench()
        bench.register(10)
        bench.submit(request: GenerationRequest(prompt: "p", maximumTokens: 3))
        bench.step(10, 1, 0..<4)
        #expect(bench.sent().isEmpty)
        #expect(bench.machine.counters.violations == 1)
    }

    @Test func `A job that kills three workers without a token is given up`() {
        var bench = MachineBench()
        for worker in 10..<14 { bench.register(UInt64(worker), slots: 1) }
        var effects = bench.submit()
        for _ in 0..<3 {
            guard let worker = effects.assignments.first?.first else {
                Issue.record("the stream was not assigned")
                return
            }
            effects = bench.lose(worker, beating: 10..<14)
        }
        #expect(effects.assignments.isEmpty)
        #expect(effects.ends.first?.error?.code == .attemptsExhausted)
        #expect(bench.machine.workerViews.filter { $0.state == "ready" }.count == 1)
    }

    @Test func `A job that kills workers at one index takes three of them at most, whatever it brings before`() {
        var bench = MachineBench()
        for worker in 10..<15 { bench.register(UInt64(worker), slots: 1) }
        var effects = bench.submit()
        var deaths = 0
        while let assignment = effects.assignments.first {
            // The last tokens before a death are lost on the way, each time others.
            let next = Int(assignment[3])
            let reached = 20 - deaths
            if reached > next { bench.step(assignment[0], 1, epoch: UInt32(deaths + 1), next..<reached) }
            effects = bench.lose(assignment[0], beating: 10..<15)
            deaths += 1
        }
        #expect(deaths == 3)
        #expect(effects.ends.first?.error?.code == .attemptsExhausted)
    }

    @Test func `A stream that went from one dead worker to the next waits until the dead are known`() {
        var bench = MachineBench()
        for worker in 10..<14 { bench.register(UInt64(worker), slots: 1) }
        bench.submit()
        // All but the last die at once; the coordinator learns of the deaths one after the other.
        #expect(
            bench.tell { $0.workerUnreachable(MachineBench.peer(10), at: $1, into: &$2) }.assignments == [
                [11, 1, 2, 0]
            ]
        )
        #expect(bench.tell { $0.workerUnreachable(MachineBench.peer(11), at: $1, into: &$2) }.assignments.isEmpty)
        #expect(bench.pass(.milliseconds(600), beating: [MachineBench.peer(13)]).assignments == [[13, 1, 3, 0]])
    }

    @Test func `An end by length before the length is reached is no end`() {
        var bench = MachineBench()
        bench.register(10)
        bench.submit()
        bench.register(11)
        #expect(bench.step(10, 1, 0..<5, end: .length).assignments == [[11, 1, 2, 5]])
        #expect(bench.machine.counters.violations == 1)
    }

    @Test func `A stream that failed on one worker is not kept from it where the other one leaves`() {
        var bench = MachineBench()
        bench.register(10)
        bench.submit()
        bench.register(11)
        bench.tell { $0.leaveRequested(by: MachineBench.peer(11), at: $1, into: &$2) }
        let failure = ApusError(.engineFailure, "no memory")
        #expect(bench.step(10, 1, 0..<2, end: .failed, error: failure).assignments == [[10, 1, 2, 2]])
    }

    @Test func `A stream that waits for another worker than it failed on goes back when that one is gone`() {
        var bench = MachineBench()
        bench.register(11, slots: 1)
        bench.submit("other")
        bench.register(10)
        bench.submit()
        let failure = ApusError(.engineFailure, "no memory")
        #expect(bench.step(10, 2, 0..<2, end: .failed, error: failure).assignments.isEmpty)
        let effects = bench.tell { $0.left(MachineBench.peer(11), at: $1, into: &$2) }
        #expect(effects.assignments.sorted { $0[1] < $1[1] } == [[10, 1, 2, 0], [10, 2, 2, 2]])
    }

    @Test func `A stream that goes on between losses is never given up`() {
        var bench = MachineBench()
        bench.register(10, slots: 1)
        bench.submit(request: GenerationRequest(prompt: "p", maximumTokens: 500))
        for round in 0..<12 {
            let worker = UInt64(10 + round)
            let next = 32 * (round + 1)
            bench.step(worker, 1, epoch: UInt32(round + 1), next - 32..<next)
            #expect(bench.sent() == [1: [next - 32..<next]])
            bench.tell { $0.workerUnreachable(MachineBench.peer(worker), at: $1, into: &$2) }
            #expect(
                bench.register(worker + 1, slots: 1).assignments == [
                    [worker + 1, 1, UInt64(round + 2), UInt64(next)]
                ]
            )
        }
    }

    @Test func `A busy worker whose progress stands still hangs`() {
        var bench = MachineBench()
        bench.register(10)
        bench.submit()
        bench.register(11)
        var effects: [Effect] = []
        for _ in 0..<60 {
            bench.now = bench.now + .milliseconds(25)
            effects += bench.tell { machine, now, turn in
                machine.stepReceived(
                    .init(progress: 5, isBusy: true),
                    from: MachineBench.peer(10),
                    at: now,
                    into: &turn
                )
                machine.stepReceived(
                    .init(progress: 5, isBusy: false),
                    from: MachineBench.peer(11),
                    at: now,
                    into: &turn
                )
                machine.ticked(at: now, into: &turn)
            }
        }
        #expect(effects.assignments == [[11, 1, 2, 0]])
        #expect(bench.machine.workerViews.map(\.state) == ["suspect", "ready"])
        // It is taken back when its engine moves again, and not by a mere beat.
        bench.tell { $0.stepReceived(.init(progress: 5, isBusy: true), from: MachineBench.peer(10), at: $1, into: &$2) }
        #expect(bench.machine.workerViews.first?.state == "suspect")
        bench.tell { $0.stepReceived(.init(progress: 6, isBusy: true), from: MachineBench.peer(10), at: $1, into: &$2) }
        #expect(bench.machine.workerViews.first?.state == "quarantined")
        for round in 0..<50 {
            bench.now = bench.now + .milliseconds(25)
            bench.tell { machine, now, turn in
                machine.stepReceived(
                    .init(progress: 7 + UInt64(round), isBusy: true),
                    from: MachineBench.peer(10),
                    at: now,
                    into: &turn
                )
                machine.ticked(at: now, into: &turn)
            }
        }
        #expect(bench.machine.workerViews.first?.state == "ready")
    }

    @Test func `Nobody is lost because the coordinator slept`() {
        var bench = MachineBench()
        bench.register(10)
        bench.submit()
        bench.pass(.milliseconds(300))
        bench.now = bench.now + .seconds(30)
        let effects = bench.tell { $0.ticked(at: $1, into: &$2) }
        #expect(effects.assignments.isEmpty)
        #expect(bench.machine.workerViews.first?.state == "ready")
        // Silence after the sleep still counts.
        bench.pass(.milliseconds(600))
        #expect(bench.machine.workerViews.first?.state == "suspect")
    }

    @Test func `Streams wait while no worker is there, and go on when one comes`() {
        var bench = MachineBench()
        #expect(bench.submit().assignments.isEmpty)
        #expect(bench.machine.counters.queued == 1)
        #expect(bench.register(10).assignments == [[10, 1, 1, 0]])
        bench.step(10, 1, 0..<2)
        bench.tell { $0.left(MachineBench.peer(10), at: $1, into: &$2) }
        #expect(bench.machine.counters.queued == 1)
        #expect(bench.register(11).assignments == [[11, 1, 2, 2]])
    }

    @Test func `A deadline ends a stream with an explicit error`() {
        var bench = MachineBench()
        bench.submit(request: GenerationRequest(prompt: "p", deadline: .seconds(2)))
        #expect(bench.pass(.milliseconds(1_900)).ends.isEmpty)
        let end = bench.pass(.milliseconds(200)).ends.first
        #expect(end?.reason == .expired)
        #expect(end?.error?.code == .deadlineExceeded)
        #expect(end?.attempts == 0)
        #expect(bench.register(10).assignments.isEmpty)
    }

    @Test func `The least loaded worker by real capacity takes a stream`() {
        var bench = MachineBench()
        bench.register(10, slots: 2)
        bench.register(11, slots: 6)
        var taken: [UInt64] = []
        for number in 1...8 {
            taken += bench.submit("k\(number)", number: UInt64(number)).assignments.map { $0[0] }
        }
        #expect(taken.filter { $0 == 10 }.count == 2)
        #expect(taken.filter { $0 == 11 }.count == 6)
        #expect(taken.prefix(4).filter { $0 == 10 }.count == 1)
        #expect(bench.submit("k9").assignments.isEmpty)
    }

    @Test func `Failovers go before new admissions`() {
        var bench = MachineBench()
        bench.register(10, slots: 1)
        bench.submit("a")
        bench.submit("b")
        bench.tell { $0.workerUnreachable(MachineBench.peer(10), at: $1, into: &$2) }
        #expect(bench.register(11, slots: 1).assignments == [[11, 1, 2, 0]])
    }

    @Test func `A cancelled stream ends at once and its worker drops it`() throws {
        var bench = MachineBench()
        bench.register(10)
        let job = try #require(bench.submit().job)
        bench.step(10, 1, 0..<1)
        let effects = bench.tell {
            $0.cancelRequested(by: MachineBench.client, number: 5, job: job, at: $1, into: &$2)
        }
        #expect(effects.ends.first?.reason == .cancelled)
        #expect(effects.contains(.done(MachineBench.client, request: 5)))
        #expect(bench.turn.revocations.first?.streams == [1])
        bench.step(10, 1, 1..<2, end: .stop)
        #expect(bench.sent().isEmpty)
        #expect(bench.machine.counters.completed == 0)
    }

    @Test func `A worker that drains takes nothing new and finishes what it has`() {
        var bench = MachineBench()
        bench.register(10)
        bench.submit("a")
        let effects = bench.tell {
            $0.drainRequested(by: MachineBench.client, number: 1, worker: WorkerName("w10"), into: &$2)
        }
        #expect(effects.contains(.drain(MachineBench.peer(10))))
        #expect(bench.submit("b").assignments.isEmpty)
        #expect(bench.step(10, 1, 0..<1, end: .stop).ends.count == 1)
        // Another process under its name takes work again.
        bench.tell { $0.left(MachineBench.peer(10), at: $1, into: &$2) }
        #expect(bench.register(11, name: "w10", incarnation: 99).assignments == [[11, 2, 1, 0]])
        let unknown = bench.tell {
            $0.drainRequested(by: MachineBench.client, number: 2, worker: WorkerName("x"), into: &$2)
        }
        guard case .refuse(_, 2, let error) = unknown.first else {
            Issue.record("an unknown worker is not refused")
            return
        }
        #expect(error.code == .notFound)
    }

    @Test func `Bad requests are rejected with a code`() {
        var bench = MachineBench()
        #expect(bench.submit("").rejections == [.invalidRequest])
        bench.register(10)
        #expect(
            bench.submit(request: GenerationRequest(model: ModelName("other"), prompt: "p")).rejections == [
                .unknownModel
            ]
        )
        bench.register(11, model: ModelName(unchecked: "n"))
        #expect(bench.submit(request: GenerationRequest(prompt: "p")).rejections == [.invalidRequest])
        let missing = bench.tell {
            $0.attached(
                by: MachineBench.client,
                number: 1,
                job: JobID(rawValue: 1),
                key: "",
                from: 0,
                credit: 1,
                into: &$2
            )
        }
        #expect(missing.rejections == [.notFound])
        #expect(bench.machine.counters.rejected == 3)
    }

    @Test func `A full queue rejects with a time to wait`() {
        var bench = MachineBench { $0.admission.streams = 2 }
        bench.submit("a")
        bench.submit("b")
        guard case .reject(_, _, let error) = bench.submit("c").first else {
            Issue.record("nothing was rejected")
            return
        }
        #expect(error.code == .overloaded)
        #expect(error.retryAfter == .seconds(1))
    }

    @Test func `A key names one job, and another request under it is refused`() {
        var bench = MachineBench()
        bench.register(10)
        let first = bench.submit("a").job
        bench.step(10, 1, 0..<3)
        let again = bench.submit("a", number: 2)
        #expect(again.job == first)
        #expect(again.replays == [0..<3])
        #expect(bench.turn.records.isEmpty)
        let other = bench.submit("a", request: GenerationRequest(prompt: "q", maximumTokens: 100))
        #expect(other.rejections == [.keyConflict])
    }

    @Test func `A worker's name belongs to one living process`() {
        var bench = MachineBench()
        bench.register(10, name: "w", incarnation: 1)
        bench.submit()
        let impostor = bench.register(11, name: "w", incarnation: 2)
        guard case .refuseWorker(MachineBench.peer(11), let error) = impostor.first else {
            Issue.record("a second process got the name")
            return
        }
        #expect(error.code == .nameTaken)
        bench.tell { $0.workerUnreachable(MachineBench.peer(10), at: $1, into: &$2) }
        #expect(bench.register(11, name: "w", incarnation: 2).assignments == [[11, 1, 2, 0]])
    }

    @Test func `A worker that reconnects keeps the attempts that are still its own`() {
        var bench = MachineBench()
        bench.register(10, name: "w", incarnation: 1)
        bench.submit()
        bench.step(10, 1, 0..<3)
        let held = HeldAttempt(stream: StreamID(rawValue: 1), epoch: Epoch(rawValue: 1), next: 5)
        let effects = bench.register(12, name: "w", incarnation: 1, held: [held])
        #expect(effects.contains(.enlist(MachineBench.peer(12), keep: [held])))
        #expect(effects.assignments.isEmpty)
        bench.step(12, 1, 2..<5)
        #expect(bench.sent() == [1: [3..<5]])
    }

    @Test func `A peer that never registered is told to`() {
        var bench = MachineBench()
        guard case .refuseWorker(_, let error) = bench.step(99, 1, 0..<1).first else {
            Issue.record("an unregistered worker is not answered")
            return
        }
        #expect(error.code == .notFound)
    }

    @Test func `Ended streams are forgotten, oldest first, beyond the bound`() {
        var bench = MachineBench { $0.retainedStreams = 2 }
        bench.register(10)
        for number in 1...4 {
            bench.submit("k\(number)")
            bench.step(10, UInt64(number), 0..<1, end: .stop)
        }
        bench.pass(.milliseconds(25))
        #expect(bench.machine.streamCount == 2)
        #expect(bench.turn.records == [.forgotten(StreamID(rawValue: 1)), .forgotten(StreamID(rawValue: 2))])
        #expect(bench.submit("k1").job != nil)
    }

    @Test func `Shutdown ends what is unfinished with an explicit error`() {
        var bench = MachineBench()
        bench.register(10)
        bench.submit("a")
        bench.machine.drainingBegan()
        #expect(bench.submit("b").rejections == [.shuttingDown])
        let effects = bench.tell { $0.abandonAll(at: $1, into: &$2) }
        #expect(effects.ends.first?.error?.code == .shuttingDown)
    }
}
