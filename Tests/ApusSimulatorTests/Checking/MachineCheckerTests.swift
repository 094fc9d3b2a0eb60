import ApusCore
import ApusModel
import Testing

@testable import ApusSimulator

@Suite("Checkers of the machine and its time")
struct MachineCheckerTests {
    private let now = Fixture.now
    private let machine = CoordinatorMachine(settings: Fixture.configuration.settings)

    @Test func `A worker gets no more attempts than slots`() {
        var checker = SlotChecker(configuration: Fixture.configuration)
        checker.reportTold(Fixture.register(), from: Fixture.worker, at: now)
        checker.sent(Fixture.assign(), to: Fixture.worker, at: now)
        checker.sent(Fixture.assign(stream: 2), to: Fixture.worker, at: now)
        var other = checker
        other.turnDecided(Turn(), by: machine, at: now)
        #expect(other.violation?.message.contains("1/1 2/1") == true)
        checker.sent(.revoke(streams: [1], epochs: [1]), to: Fixture.worker, at: now)
        checker.turnDecided(Turn(), by: machine, at: now)
        #expect(checker.violation == nil)
    }

    @Test func `A queue over its bound is noticed`() {
        var checker = BoundChecker(configuration: Fixture.configuration)
        var audit = MachineAudit()
        checker.check(audit, at: now)
        #expect(checker.violation == nil)
        audit.deadlines = 1_000_000
        checker.check(audit, at: now)
        #expect(checker.violation?.message.contains("deadlines") == true)
    }

    @Test func `A world that is late is a starvation`() {
        var checker = ProgressChecker(configuration: Fixture.configuration)
        checker.committed(tokens: [], records: [Fixture.accepted()], at: now)
        checker.healed(at: now)
        var other = checker
        other.worldEnded(JournalCheckerTests.worldEnd(isLate: true), at: now)
        #expect(other.violation?.message.contains("stream 1") == true)
        checker.worldEnded(JournalCheckerTests.worldEnd(isLate: false), at: now)
        #expect(checker.violation == nil)
    }

    @Test(arguments: [true, false]) func `Clients that wait all the time get the same`(isFair: Bool) {
        var configuration = Fixture.configuration
        let drawn = configuration.jobs
        configuration.jobs = (0..<40).map { place in
            var job = drawn[place % 8]
            job.request.sampling.topK = place + 1
            return job
        }
        var checker = FairnessChecker(truth: Truth(jobs: configuration.jobs), configuration: configuration)
        let streams = (0..<40).map { Fixture.accepted(UInt64($0 + 1), place: $0) }
        checker.committed(tokens: [], records: streams, at: now)
        let order = isFair ? Array(1...40 as ClosedRange<UInt64>) : (1...20 as ClosedRange<UInt64>).map { $0 * 2 - 1 }
        for stream in order { checker.committed(tokens: [], records: [Fixture.leased(stream)], at: now) }
        #expect((checker.violation == nil) == isFair)
    }

    @Test(arguments: [true, false]) func `A successor does not settle what ran before it`(isAnew: Bool) {
        var configuration = Fixture.configuration
        let drawn = configuration.jobs
        configuration.jobs = (0..<40).map { place in
            var job = drawn[place % 8]
            job.request.sampling.topK = place + 1
            return job
        }
        var checker = FairnessChecker(truth: Truth(jobs: configuration.jobs), configuration: configuration)
        let streams = (0..<40).map { Fixture.accepted(UInt64($0 + 1), place: $0) }
        checker.committed(tokens: [], records: streams, at: now)
        let before = (1...16 as ClosedRange<UInt64>).map { $0 }
        for stream in before { checker.committed(tokens: [], records: [Fixture.leased(stream)], at: now) }
        if isAnew { checker.coordinatorRecovered(machine, from: [], at: now) }
        for stream in [17, 18] as [UInt64] { checker.committed(tokens: [], records: [Fixture.leased(stream)], at: now) }
        // All of one client's streams turn out to be much longer than they could be, and nothing else is out of balance.
        for stream in before where stream % 2 == 0 {
            checker.committed(tokens: [], records: [Fixture.ended(Fixture.end(tokens: 20), stream: stream)], at: now)
        }
        for stream in [19, 20] as [UInt64] { checker.committed(tokens: [], records: [Fixture.leased(stream)], at: now) }
        #expect((checker.violation == nil) == isAnew)
    }

    @Test func `What a connection sends after its loss counts for the name that it no longer has`() {
        var configuration = Fixture.configuration
        let drawn = configuration.jobs
        configuration.jobs = (0..<40).map { place in
            var job = drawn[place % 8]
            job.request.sampling.topK = place + 1
            return job
        }
        for (name, counted) in [(CoordinatorMachine.unnamed, "unnamed"), ("nobody", "a")] {
            var checker = FairnessChecker(truth: Truth(jobs: configuration.jobs), configuration: configuration)
            let streams = (0..<40).map { place in
                Fixture.accepted(UInt64(place + 1), place: place, client: place % 2 == 0 ? name : "b")
            }
            checker.committed(tokens: [], records: streams, at: now)
            let order = (1...20 as ClosedRange<UInt64>).map { $0 * 2 - 1 }
            for stream in order { checker.committed(tokens: [], records: [Fixture.leased(stream)], at: now) }
            #expect(checker.violation?.message.contains("client \(counted) got") == true)
        }
    }

    @Test(arguments: [true, false]) func `A worker is not silent because the coordinator slept`(slept: Bool) {
        let step: Int64 = slept ? 600_000_000 : 25_000_000
        var checker = OwnLagChecker(configuration: Fixture.configuration)
        checker.turnDecided(Turn(), by: machine, at: .zero)
        checker.reportTold(Fixture.register(), from: Fixture.worker, at: Timestamp(nanoseconds: 1))
        checker.turnDecided(Turn(), by: machine, at: Timestamp(nanoseconds: 1))
        checker.sent(.enlisted(keep: []), to: Fixture.worker, at: Timestamp(nanoseconds: 1))
        var time = step
        while time < 600_000_000 {
            checker.turnDecided(Turn(), by: machine, at: Timestamp(nanoseconds: time))
            time += step
        }
        var turn = Turn()
        turn.effects = [.report(WorkerName(unchecked: "w0"), .lost(.silent, streams: 1))]
        checker.turnDecided(turn, by: machine, at: Timestamp(nanoseconds: time))
        #expect((checker.violation != nil) == slept)
    }

    @Test func `Moments in records are those of their turns`() {
        var checker = ClockChecker()
        var turn = Turn()
        turn.records = [Fixture.leased(at: now)]
        checker.turnDecided(turn, by: machine, at: now)
        #expect(checker.violation == nil)
        turn.records = [Fixture.leased(at: now + .seconds(300))]
        checker.turnDecided(turn, by: machine, at: now)
        #expect(checker.violation != nil)
    }

    @Test func `A machine that forgot a part of the journal is noticed`() {
        let journal = [
            SimulatedBatch(tokens: [], records: [Fixture.accepted(), Fixture.leased()]),
            SimulatedBatch(tokens: [Fixture.tokens(0..<4)], records: [Fixture.ended()]),
        ]
        for count in 1...2 {
            var checker = ReplayChecker(configuration: Fixture.configuration)
            var machine = CoordinatorMachine(settings: Fixture.configuration.settings)
            for batch in journal.prefix(count) {
                for columns in batch.tokens { machine.replayed(columns) }
                for record in batch.records { machine.replayed(record) }
            }
            machine.recovered(at: now)
            checker.coordinatorRecovered(machine, from: journal, at: now)
            #expect((checker.violation == nil) == (count == 2))
        }
    }

    @Test func `A worker that refuses gets nothing until it says otherwise`() {
        var load = WorkerLoad()
        load.isRefusing = true
        let refusal = WorkerReport.step(Shared(StepReport(progress: 1, isBusy: false, load: load)))
        var checker = RefusalChecker()
        checker.reportTold(refusal, from: Fixture.worker, at: now)
        checker.reportTold(Fixture.step(), from: Fixture.worker, at: now)
        checker.sent(Fixture.assign(), to: Fixture.worker, at: now)
        #expect(checker.violation == nil)
        checker.reportTold(refusal, from: Fixture.worker, at: now)
        checker.sent(Fixture.assign(epoch: 2), to: Fixture.worker, at: now)
        #expect(checker.violation != nil)
    }

    @Test func `A stream gets the request of its own choice`() {
        var right = LimitChecker(truth: Self.truth(choices: 2), configuration: Fixture.configuration)
        right.committed(tokens: [], records: [Fixture.accepted(choices: 2)], at: now)
        var wrong = right
        let stream = StreamID(rawValue: 2)
        var request = Fixture.request
        request.sampling.seed = GenerationRequest.seed(ofChoice: 1, of: Fixture.seed)
        right.sent(.assign(stream, Epoch(rawValue: 1), request, history: [], limit: 8), to: Fixture.worker, at: now)
        #expect(right.violation == nil)
        request.sampling.seed = Fixture.seed
        wrong.sent(.assign(stream, Epoch(rawValue: 1), request, history: [], limit: 8), to: Fixture.worker, at: now)
        #expect(wrong.violation?.message.contains("seed") == true)
    }

    private static func truth(choices: Int) -> Truth {
        var jobs = Fixture.configuration.jobs
        jobs[0].request.choices = choices
        return Truth(jobs: jobs)
    }
}
