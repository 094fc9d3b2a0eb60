import ApusCore
import ApusModel
import Testing

/// A worker that becomes slow, and the second attempts of its streams.
@Suite struct HedgeTests {
    private static let other = Fingerprint(high: 2, low: 2)

    /// Worker 10 runs stream 1, has a history of 20 ms a step and crawls since; worker 11 has room.
    ///
    /// - Returns: The bench and the number of tokens that were accepted.
    static func crawling(
        fingerprint: Fingerprint = MachineBench.fingerprint,
        window: Int = 512
    ) -> (MachineBench, Int, [Effect]) {
        var bench = MachineBench { $0.workerWindow = window }
        bench.register(10)
        bench.submit(request: GenerationRequest(prompt: "p", maximumTokens: 500))
        bench.register(11, fingerprint: fingerprint)
        var next = 0
        for _ in 0..<100 { step(&bench, after: .milliseconds(20), token: &next) }
        var effects: [Effect] = []
        for _ in 0..<6 where effects.isEmpty {
            effects = Self.step(&bench, after: .milliseconds(400), token: &next).filter(\.isAssignment)
        }
        return (bench, next, effects)
    }

    /// Worker 10 sends one token; time passes in ticks before it, with beats of both workers.
    @discardableResult
    static func step(_ bench: inout MachineBench, after time: Duration, token next: inout Int) -> [Effect] {
        var effects: [Effect] = []
        let end = bench.now + time
        while bench.now < end {
            bench.now = bench.now + .milliseconds(20)
            let index = next
            let isDue = bench.now >= end
            effects += bench.tell { machine, now, turn in
                let tokens = isDue ? MachineBench.report(1, epoch: 1, index..<index + 1).tokens : TokenColumns()
                var load = WorkerLoad()
                load.batchSize = 1
                machine.stepReceived(
                    StepReport(progress: UInt64(isDue ? index + 1 : index), isBusy: true, load: load, tokens: tokens),
                    from: MachineBench.peer(10),
                    at: now,
                    into: &turn
                )
                machine.stepReceived(
                    .init(progress: 0, isBusy: false),
                    from: MachineBench.peer(11),
                    at: now,
                    into: &turn
                )
                machine.ticked(at: now, into: &turn)
            }
        }
        next += 1
        return effects
    }

    @Test func `A worker ten times slower than it was gets its streams hedged, and the hedge's next token wins`() {
        var (bench, next, effects) = Self.crawling()
        #expect(effects.assignments == [[11, 1, 2, UInt64(next)]])
        #expect(bench.machine.workerViews.map(\.state).first == "slow")
        #expect(bench.machine.workerViews.map(\.leases) == [1, 1])
        bench.step(11, 1, epoch: 2, next..<next + 2)
        #expect(bench.sent() == [1: [next..<next + 2]])
        #expect(bench.machine.workerViews.map(\.leases) == [0, 1])
        // The slow one is fenced from now on.
        bench.step(10, 1, epoch: 1, next..<next + 1)
        #expect(bench.turn.tokens.isEmpty)
        #expect(bench.turn.revocations.map(\.peer) == [MachineBench.peer(10)])
        #expect(bench.machine.jobViews(limit: 1).first?.continuity == .exact)
    }

    @Test func `An equal hedge that was overtaken catches up and gives only what is new`() {
        var (bench, next, _) = Self.crawling()
        let start = next
        Self.step(&bench, after: .milliseconds(400), token: &next)
        #expect(bench.machine.workerViews.map(\.leases) == [1, 1])
        bench.step(11, 1, epoch: 2, start..<start + 1)
        #expect(bench.turn.tokens.isEmpty)
        bench.step(11, 1, epoch: 2, start + 1..<start + 4)
        #expect(bench.sent() == [1: [start + 1..<start + 4]])
    }

    @Test func `A hedge with other numerics is dropped as soon as the stream goes on without it`() {
        var (bench, next, effects) = Self.crawling(fingerprint: Self.other)
        #expect(effects.assignments == [[11, 1, 2, UInt64(next)]])
        Self.step(&bench, after: .milliseconds(400), token: &next)
        #expect(bench.turn.revocations.map(\.peer).contains(MachineBench.peer(11)))
        bench.step(11, 1, epoch: 2, next - 1..<next)
        #expect(bench.turn.tokens.isEmpty)
    }

    @Test func `A hedge goes on at once when the slow worker dies, and the other way round nothing changes`() {
        var (bench, next, _) = Self.crawling()
        var sibling = bench
        let effects = bench.tell { $0.workerUnreachable(MachineBench.peer(10), at: $1, into: &$2) }
        #expect(effects.assignments.isEmpty)
        bench.step(11, 1, epoch: 2, next..<next + 1)
        #expect(bench.sent() == [1: [next..<next + 1]])

        #expect(sibling.tell { $0.workerUnreachable(MachineBench.peer(11), at: $1, into: &$2) }.assignments.isEmpty)
        Self.step(&sibling, after: .milliseconds(20), token: &next)
        #expect(sibling.machine.jobViews(limit: 1).first?.tokens == next)
    }

    @Test func `A hedge that goes on where half a window is left is told how far`() {
        // A window of which exactly half is used when the hedge begins.
        var (bench, next, effects) = Self.crawling(window: 2 * Self.crawling().1)
        #expect(effects.assignments == [[11, 1, 2, UInt64(next)]])
        var limit = 2 * next
        while next < min(limit, 490) {
            bench.step(11, 1, epoch: 2, next..<next + 1)
            next += 1
            for columns in bench.turn.acknowledgements where columns.peer == MachineBench.peer(11) {
                limit = max(limit, Int(columns.second.last ?? 0))
            }
        }
        #expect(next == 490)
    }

    @Test func `A slow worker that was silent for a moment is hedged again`() {
        var (bench, next, _) = Self.crawling()
        bench.step(11, 1, epoch: 2, next..<next + 1)
        _ = next
        // Worker 10 is silent, and back; then the only other worker leaves its stream to it.
        bench.pass(.milliseconds(600), beating: [MachineBench.peer(11)])
        bench.tell { $0.left(MachineBench.peer(11), at: $1, into: &$2) }
        let back = bench.tell { machine, now, turn in
            let report = StepReport(progress: 500, isBusy: true)
            machine.stepReceived(report, from: MachineBench.peer(10), at: now, into: &turn)
        }
        #expect(back.assignments.map { $0[0] } == [10])
        #expect(bench.machine.workerViews.first?.state == "slow")
        bench.register(12)
        #expect(bench.pass(.milliseconds(25)).assignments.map { $0[0] } == [12])
    }

    @Test func `A hedge's end counts where it has everything, and frees both slots`() {
        var (bench, next, _) = Self.crawling()
        let effects = bench.step(11, 1, epoch: 2, next..<next + 1, end: .stop)
        #expect(effects.ends.first?.reason == .stop)
        #expect(effects.ends.first?.usage.completionTokens == next + 1)
        #expect(bench.machine.workerViews.map(\.leases) == [0, 0])
        #expect(bench.machine.counters.active == 0)
    }

    @Test func `A cancelled stream revokes both attempts`() {
        var (bench, _, _) = Self.crawling()
        guard let job = bench.machine.jobViews(limit: 1).first?.job else { return }
        bench.tell { $0.cancelRequested(by: MachineBench.client, number: 9, job: job, at: $1, into: &$2) }
        #expect(Set(bench.turn.revocations.map(\.peer)) == [MachineBench.peer(10), MachineBench.peer(11)])
        #expect(bench.machine.workerViews.map(\.leases) == [0, 0])
    }
}

extension Effect {
    /// Whether it starts an attempt.
    fileprivate var isAssignment: Bool {
        if case .assign = self { true } else { false }
    }
}
