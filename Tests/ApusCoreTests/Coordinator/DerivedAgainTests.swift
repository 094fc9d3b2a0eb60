import ApusCore
import ApusModel
import Testing

/// Streams whose tokens a coordinator's death took, so that they are computed again.
@Suite struct DerivedAgainTests {
    private static let other = Fingerprint(high: 2, low: 2)

    /// The successor of a coordinator whose worker 10 ran a stream under some attempts; none of its tokens is known.
    private func successor(attempts: [Fingerprint] = [MachineBench.fingerprint]) -> (MachineBench, JobID) {
        var former = MachineBench()
        var request = GenerationRequest(prompt: "p", maximumTokens: 100)
        request.durability = .accepted
        former.submit("k", request: request)
        let accepted = former.turn.acceptances[0]
        var machine = CoordinatorMachine(settings: CoordinatorSettings(secret: 7))
        machine.replayed(.accepted(accepted))
        for (place, fingerprint) in attempts.enumerated() {
            machine.replayed(
                .leased(
                    LeaseRecord(
                        stream: accepted.stream,
                        epoch: Epoch(rawValue: UInt32(place + 1)),
                        worker: WorkerName(unchecked: "w10"),
                        model: MachineBench.model,
                        fingerprint: fingerprint,
                        exactness: .exact,
                        contextTokens: 1_000,
                        losses: 0,
                        isHedge: false,
                        leasedAt: former.now
                    )
                )
            )
        }
        machine.numbersUsed(through: 31)
        machine.recovered(at: former.now)
        var bench = former
        bench.machine = machine
        bench.turn = Turn()
        bench.tell { machine, _, _ in _ = machine.clientJoined(MachineBench.client, name: "test") }
        return (bench, accepted.job)
    }

    @Test func `What a worker still computes is not taken up, because earlier tokens are gone`() {
        var (bench, _) = successor()
        let held = HeldAttempt(stream: StreamID(rawValue: 1), epoch: Epoch(rawValue: 1), next: 5)
        let effects = bench.register(20, name: "w10", incarnation: 10, held: [held])
        #expect(effects.contains(.enlist(MachineBench.peer(20), keep: [])))
        #expect(effects.assignments == [[20, 1, 2, 0]])
    }

    @Test func `A client goes on where it was, in the middle of a run of tokens`() {
        var (bench, job) = successor()
        bench.register(20)
        let effects = bench.attach(job: job, from: 5, credit: 50)
        #expect(effects.rejections.isEmpty)
        #expect(effects.replays.isEmpty)
        bench.step(20, 1, epoch: 2, 0..<3)
        #expect(bench.sent().isEmpty)
        #expect(bench.turn.effects.replays.isEmpty)
        // The run crosses the client's place: what it lacks comes from the journal.
        #expect(bench.step(20, 1, epoch: 2, 3..<8).replays == [5..<8])
        #expect(bench.sent().isEmpty)
        bench.step(20, 1, epoch: 2, 8..<9)
        #expect(bench.sent() == [1: [8..<9]])
    }

    @Test func `A run that ends at the client's place brings nothing, and the next one comes directly`() {
        var (bench, job) = successor()
        bench.register(20)
        bench.attach(job: job, from: 5, credit: 50)
        #expect(bench.step(20, 1, epoch: 2, 0..<5).replays.isEmpty)
        #expect(bench.sent().isEmpty)
        bench.step(20, 1, epoch: 2, 5..<7)
        #expect(bench.sent() == [1: [5..<7]])
    }

    @Test func `The worker may compute what the client has had and the rest of its credit`() {
        var (bench, job) = successor()
        bench.attach(job: job, from: 5, credit: 9)
        let effects = bench.register(20)
        guard
            case .assign(_, _, _, _, next: 0, let limit) = effects.first(where: {
                if case .assign = $0 { true } else { false }
            })
        else {
            Issue.record("not assigned: \(effects)")
            return
        }
        #expect(limit == 9)
    }

    @Test func `On an equal fingerprint the stream stays exact`() {
        var (bench, job) = successor()
        bench.register(20)
        bench.attach(job: job, from: 5, credit: 50)
        bench.step(20, 1, epoch: 2, 0..<8)
        let end = bench.step(20, 1, epoch: 2, 8..<8, end: .stop).ends.first
        #expect(end?.continuity == .exact)
        #expect(end?.usage.completionTokens == 8)
    }

    @Test func `On another fingerprint nothing is said to be continued`() {
        var (bench, job) = successor()
        bench.register(20, fingerprint: Self.other)
        bench.attach(job: job, from: 5, credit: 50)
        bench.step(20, 1, epoch: 2, 0..<8)
        #expect(bench.step(20, 1, epoch: 2, 8..<8, end: .stop).ends.map(\.continuity) == [.none])
    }

    @Test func `A failover to another fingerprint can't keep what clients had of before`() {
        var (bench, job) = successor()
        bench.register(20)
        bench.attach(job: job, from: 5, credit: 50)
        bench.step(20, 1, epoch: 2, 0..<3)
        bench.register(21, fingerprint: Self.other)
        #expect(bench.lose(20, beating: 21..<22).assignments == [[21, 1, 3, 3]])
        bench.step(21, 1, epoch: 3, 3..<8)
        #expect(bench.step(21, 1, epoch: 3, 8..<8, end: .stop).ends.map(\.continuity) == [.none])
    }

    @Test func `Attempts that computed differently can't be repeated, wherever the stream is computed again`() {
        for fingerprint in [MachineBench.fingerprint, Self.other] {
            var (bench, job) = successor(attempts: [MachineBench.fingerprint, Self.other])
            bench.register(20, fingerprint: fingerprint)
            bench.attach(job: job, from: 5, credit: 50)
            bench.step(20, 1, epoch: 3, 0..<8)
            #expect(bench.step(20, 1, epoch: 3, 8..<8, end: .stop).ends.map(\.continuity) == [.none])
        }
        var (bench, job) = successor(attempts: [MachineBench.fingerprint, MachineBench.fingerprint])
        bench.register(20)
        bench.attach(job: job, from: 5, credit: 50)
        bench.step(20, 1, epoch: 3, 0..<8)
        #expect(bench.step(20, 1, epoch: 3, 8..<8, end: .stop).ends.map(\.continuity) == [.exact])
    }

    @Test func `A stream that ends before what its client had is over for it`() {
        var (bench, job) = successor()
        bench.register(20, fingerprint: Self.other)
        bench.attach(job: job, from: 5, credit: 50)
        let ends = bench.step(20, 1, epoch: 2, 0..<3, end: .stop).ends
        #expect(ends.map(\.usage.completionTokens) == [3])
        #expect(bench.attach(job: job, from: 5, credit: 50).ends == ends)
    }

    @Test func `Nobody follows from beyond what there can be, and no other stream from beyond what there is`() {
        var (bench, job) = successor()
        #expect(bench.attach(job: job, from: 101, credit: 200).rejections == [.invalidRequest])
        #expect(bench.attach(job: job, from: 100, credit: 200).rejections.isEmpty)
        bench.submit("l")
        let fresh = bench.turn.acceptances[0].job
        #expect(bench.attach(job: fresh, from: 1, credit: 200).rejections == [.invalidRequest])
    }

    @Test func `A stream that never had an attempt only waits`() {
        var (bench, job) = successor(attempts: [])
        #expect(bench.attach(job: job, from: 1, credit: 9).rejections == [.invalidRequest])
        #expect(bench.register(20).assignments == [[20, 1, 1, 0]])
    }

    @Test func `Numbers that a former life may have used are not given again`() {
        var (bench, _) = successor()
        bench.submit("l")
        #expect(bench.turn.acceptances.map(\.stream) == [StreamID(rawValue: 32)])
        bench.tell { machine, _, _ in machine.numbersUsed(through: 3) }
        bench.submit("m")
        #expect(bench.turn.acceptances.map(\.stream) == [StreamID(rawValue: 33)])
    }
}
