import ApusCore
import ApusModel
import Testing

@testable import ApusSimulator

@Suite("Checkers of the journal")
struct JournalCheckerTests {
    private let now = Fixture.now

    @Test func `A stream ends once, and every client hears of that end`() {
        var checker = EndChecker(configuration: Fixture.configuration)
        checker.committed(tokens: [], records: [Fixture.accepted(), Fixture.ended()], at: now)
        checker.clientReceived(.finished(Fixture.stream, Fixture.job, Fixture.end()), by: Fixture.client, at: now)
        #expect(checker.violation == nil)
        var other = checker
        other.clientReceived(.finished(Fixture.stream, Fixture.job, Fixture.end(.length)), by: Fixture.client, at: now)
        #expect(other.violation != nil)
        checker.committed(tokens: [], records: [Fixture.ended()], at: now)
        #expect(checker.violation?.message.contains("ended twice") == true)
    }

    @Test func `An accepted stream that never ends is noticed`() {
        var checker = EndChecker(configuration: Fixture.configuration)
        checker.committed(tokens: [], records: [Fixture.accepted()], at: now)
        checker.worldEnded(Self.worldEnd(isLate: false), at: now)
        #expect(checker.violation != nil)
    }

    @Test func `What is visible was journaled before`() {
        var checker = DurabilityChecker(configuration: Fixture.configuration)
        let records = [Fixture.accepted(), Fixture.leased(), Fixture.ended()]
        let visible: [ClientMessage] = [
            Fixture.accept(), .tokens(Shared(Fixture.tokens(0..<4))),
            .finished(Fixture.stream, Fixture.job, Fixture.end()),
        ]
        for message in visible {
            var hasty = checker
            hasty.sent(message, to: Fixture.peer, at: now)
            #expect(hasty.violation != nil)
        }
        var hasty = checker
        hasty.sent(Fixture.assign(), to: Fixture.worker, at: now)
        #expect(hasty.violation != nil)
        checker.committed(tokens: [Fixture.tokens(0..<4)], records: records, at: now)
        for message in visible { checker.sent(message, to: Fixture.peer, at: now) }
        checker.sent(Fixture.assign(), to: Fixture.worker, at: now)
        #expect(checker.violation == nil)
    }

    @Test func `Attempts are numbered by one and bounded`() {
        var checker = AttemptChecker(truth: Fixture.truth, configuration: Fixture.configuration)
        let leases = [Fixture.leased(), Fixture.leased(epoch: 2, losses: 1)]
        checker.committed(tokens: [], records: [Fixture.accepted()] + leases, at: now)
        for _ in 0..<3 { checker.faulted(.poisonedJob, at: now) }
        #expect(checker.violation == nil)
        for wrong in [Fixture.leased(epoch: 2), Fixture.leased(epoch: 4), Fixture.leased(epoch: 3, losses: 3)] {
            var other = checker
            other.committed(tokens: [], records: [wrong], at: now)
            #expect(other.violation != nil)
        }
        checker.faulted(.poisonedJob, at: now)
        #expect(checker.violation != nil)
    }

    @Test func `Rows come into the journal as the attempt's worker sent them`() {
        var checker = FencingChecker(configuration: Fixture.configuration)
        checker.reportTold(Fixture.register(), from: Fixture.worker, at: now)
        checker.committed(tokens: [], records: [Fixture.leased(), Fixture.leased(epoch: 2)], at: now)
        checker.reportTold(Fixture.step(Fixture.tokens(0..<2, epoch: 2)), from: Fixture.worker, at: now)
        checker.reportTold(Fixture.step(Fixture.tokens(2..<4, epoch: 1)), from: Fixture.worker, at: now)
        checker.committed(tokens: [Fixture.tokens(0..<2, epoch: 2)], records: [], at: now)
        #expect(checker.violation == nil)
        for epoch: UInt32 in 1...2 {
            var other = checker
            other.reportTold(Fixture.step(Fixture.tokens(2..<4, epoch: 1)), from: Fixture.worker, at: now)
            other.committed(tokens: [Fixture.tokens(2..<4, epoch: epoch)], records: [], at: now)
            #expect(other.violation != nil)
        }
    }

    @Test func `An end needs the word of the attempt that counts`() {
        var checker = FencingChecker(configuration: Fixture.configuration)
        checker.reportTold(Fixture.register(), from: Fixture.worker, at: now)
        checker.committed(tokens: [], records: [Fixture.leased(), Fixture.leased(epoch: 2)], at: now)
        for (epoch, isRight) in [(2, true), (1, false)] as [(UInt32, Bool)] {
            var told = checker
            let end = AttemptEnd(stream: Fixture.stream, epoch: Epoch(rawValue: epoch), reason: .stop, promptTokens: 1)
            told.reportTold(Fixture.step(ends: [end]), from: Fixture.worker, at: now)
            told.committed(tokens: [], records: [Fixture.ended()], at: now)
            #expect((told.violation == nil) == isRight)
        }
    }

    @Test func `An earlier attempt brings nothing after a later one`() {
        var checker = AcceptingChecker(configuration: Fixture.configuration)
        checker.committed(tokens: [Fixture.tokens(0..<1), Fixture.tokens(1..<2, epoch: 2)], records: [], at: now)
        #expect(checker.violation == nil)
        checker.committed(tokens: [Fixture.tokens(2..<3)], records: [], at: now)
        #expect(checker.violation != nil)
    }

    @Test func `Limits and deadlines hold`() {
        let late = Timestamp(nanoseconds: 2_000_000_000)
        var checker = LimitChecker(truth: Fixture.truth, configuration: Fixture.configuration)
        checker.committed(tokens: [], records: [Fixture.accepted()], at: now)
        checker.committed(tokens: [Fixture.tokens(0..<4)], records: [], at: now)
        checker.sent(Fixture.assign(), to: Fixture.worker, at: now)
        checker.committed(tokens: [], records: [Fixture.ended()], at: now)
        #expect(checker.violation == nil)
        let wrong: [([TokenColumns], JournalRecord)] = [
            ([Fixture.tokens(4..<9)], Fixture.accepted(2, place: 1)),
            ([], Fixture.ended(Fixture.end(.length))),
            ([Fixture.tokens(4..<5)], Fixture.ended()),
            ([], Fixture.leased(at: late)),
            ([], Fixture.ended(Fixture.end(.expired))),
        ]
        for (tokens, record) in wrong {
            var other = checker
            other.committed(tokens: tokens, records: [record], at: now)
            #expect(other.violation != nil)
        }
        let machine = CoordinatorMachine(settings: Fixture.configuration.settings)
        for _ in 0..<2 { checker.turnDecided(Turn(), by: machine, at: late) }
        checker.committed(tokens: [], records: [Fixture.ended(at: late)], at: late)
        #expect(checker.violation?.message.contains("after its deadline") == true)
    }

    @Test func `Exact means the numerics of the first attempt`() {
        for fingerprint in [Fixture.fingerprint, Fixture.other] {
            var checker = ContinuityChecker(configuration: Fixture.configuration)
            checker.committed(tokens: [], records: [Fixture.accepted(), Fixture.leased()], at: now)
            checker.committed(
                tokens: [Fixture.tokens(0..<2)],
                records: [Fixture.leased(epoch: 2, fingerprint: fingerprint)],
                at: now
            )
            let rest = Fixture.tokens(2..<4, epoch: 2, numerics: fingerprint)
            checker.committed(tokens: [rest], records: [Fixture.ended()], at: now)
            #expect((checker.violation == nil) == (fingerprint == Fixture.fingerprint))
        }
    }

    @Test func `Every token is journaled and counted once`() {
        var checker = UsageChecker(configuration: Fixture.configuration)
        checker.committed(tokens: [Fixture.tokens(0..<4)], records: [], at: now)
        var other = checker
        other.committed(tokens: [Fixture.tokens(3..<5)], records: [], at: now)
        #expect(other.violation != nil)
        other = checker
        other.committed(tokens: [], records: [Fixture.ended(Fixture.end(tokens: 5))], at: now)
        #expect(other.violation != nil)
        checker.committed(tokens: [], records: [Fixture.ended()], at: now)
        #expect(checker.violation == nil)
    }

    static func worldEnd(isLate: Bool) -> WorldEnd {
        WorldEnd(
            machine: CoordinatorMachine(settings: Fixture.configuration.settings),
            journal: [],
            isLate: isLate
        )
    }
}
