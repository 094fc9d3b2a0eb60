import ApusCore
import ApusModel
import Testing

@testable import ApusSimulator

@Suite("Checkers of what a journal keeps")
struct DiskCheckerTests {
    private let now = Fixture.now
    private let unavailable = ApusError(.journalUnavailable, "", retryAfter: .seconds(1))

    @Test func `While the disk refuses, only refusals that name a time are sent`() {
        var checker = OutageChecker()
        checker.outageBegan(at: now)
        checker.sent(.rejected(number: 1, unavailable), to: Fixture.peer, at: now)
        checker.sent(.welcome, to: Fixture.peer, at: now)
        #expect(checker.violation == nil)
        let wrong: [ClientMessage] = [
            Fixture.accept(), .tokens(Shared(Fixture.tokens(0..<1))), .done(number: 1),
            .finished(Fixture.stream, Fixture.job, Fixture.end()),
            .rejected(number: 1, ApusError(.journalUnavailable, "")),
            .rejected(number: 1, ApusError(.internalFailure, "")),
        ]
        for message in wrong {
            var other = checker
            other.sent(message, to: Fixture.peer, at: now)
            #expect(other.violation != nil)
        }
        var other = checker
        other.sent(Fixture.assign(), to: Fixture.worker, at: now)
        #expect(other.violation != nil)
        checker.outageEnded(at: now)
        checker.sent(Fixture.accept(), to: Fixture.peer, at: now)
        #expect(checker.violation == nil)
    }

    @Test func `A number that is given again is noticed`() {
        var checker = NumberChecker()
        checker.committed(tokens: [], records: [Fixture.accepted(1, choices: 3), Fixture.accepted(4)], at: now)
        #expect(checker.violation == nil)
        checker.committed(tokens: [], records: [Fixture.accepted(4)], at: now)
        #expect(checker.violation != nil)
    }

    @Test func `A kept job is never unknown, and is forgotten only after its retention`() {
        var world = Fixture.configuration
        world.settings.recallsEnded = true
        world.journalRetention = .microseconds(500)
        var checker = RetentionChecker(configuration: world)
        let unknown = ClientMessage.rejected(number: 1, ApusError(.notFound, ""))
        checker.requestTold(Fixture.submit(), from: Fixture.peer, at: now)
        checker.sent(unknown, to: Fixture.peer, at: now)
        checker.committed(tokens: [], records: [Fixture.accepted()], at: now)
        checker.committed(tokens: [], records: [Fixture.ended(at: now)], at: now)
        #expect(checker.violation == nil)
        var other = checker
        other.requestTold(Fixture.submit(), from: Fixture.peer, at: now)
        other.sent(unknown, to: Fixture.peer, at: now)
        #expect(other.violation != nil)
        other = checker
        other.committed(tokens: [], records: [.forgotten(Fixture.stream)], at: now + .microseconds(400))
        #expect(other.violation != nil)
        checker.committed(tokens: [], records: [.forgotten(Fixture.stream)], at: now + .microseconds(600))
        checker.requestTold(Fixture.submit(), from: Fixture.peer, at: now)
        checker.sent(unknown, to: Fixture.peer, at: now)
        #expect(checker.violation == nil)
    }

    @Test func `Only what failed is tried again, with its own seed`() {
        var world = Fixture.configuration
        world.faults.weights = world.faults.weights.map { _ in 1 }
        var checker = RetryChecker(configuration: world)
        let failed = Fixture.ended(Fixture.end(.failed))
        checker.committed(tokens: [], records: [Fixture.accepted()], at: now)
        var other = checker
        other.committed(tokens: [], records: [Fixture.ended(), Fixture.accepted(2)], at: now)
        #expect(other.violation != nil)
        checker.committed(tokens: [], records: [failed], at: now)
        checker.requestTold(.retry(number: 1, Fixture.job), from: Fixture.peer, at: now)
        other = checker
        other.sent(.refused(number: 1, ApusError(.invalidRequest, "")), to: Fixture.peer, at: now)
        #expect(other.violation != nil)
        other = checker
        guard case .accepted(var record) = Fixture.accepted(2) else { return }
        record.request.sampling.seed = 1
        other.committed(tokens: [], records: [.accepted(record)], at: now)
        other.sent(.retried(number: 1, JobID(rawValue: 10)), to: Fixture.peer, at: now)
        #expect(other.violation != nil)
        checker.committed(tokens: [], records: [Fixture.accepted(2)], at: now)
        checker.sent(.retried(number: 1, JobID(rawValue: 10)), to: Fixture.peer, at: now)
        #expect(checker.violation == nil)
    }

    @Test func `Tokens that are computed again are the same, or the end says that they are not`() {
        let loss = CoordinatorLoss(derivedAgain: [Fixture.stream], gone: [])
        var checker = ContentChecker(configuration: Fixture.configuration)
        checker.committed(tokens: [Fixture.tokens(0..<3)], records: [], at: now)
        checker.lost(loss, at: now)
        var other = checker
        checker.committed(tokens: [Fixture.tokens(0..<4)], records: [Fixture.ended()], at: now)
        #expect(checker.violation == nil)
        other.committed(tokens: [Fixture.tokens(0..<4, numerics: Fixture.other)], records: [], at: now)
        #expect(other.violation == nil)
        var end = Fixture.end()
        end.continuity = .none
        var honest = other
        honest.committed(tokens: [], records: [Fixture.ended(end)], at: now)
        #expect(honest.violation == nil)
        other.committed(tokens: [], records: [Fixture.ended()], at: now)
        #expect(other.violation != nil)
    }

    @Test
    func `Tokens that died with the coordinator count again, and were not released before they are journaled again`() {
        let loss = CoordinatorLoss(derivedAgain: [Fixture.stream], gone: [])
        var usage = UsageChecker(configuration: Fixture.configuration)
        var durability = DurabilityChecker(configuration: Fixture.configuration)
        usage.committed(tokens: [Fixture.tokens(0..<3)], records: [], at: now)
        durability.committed(tokens: [Fixture.tokens(0..<3)], records: [Fixture.accepted()], at: now)
        usage.lost(loss, at: now)
        durability.lost(loss, at: now)
        var other = usage
        usage.committed(tokens: [Fixture.tokens(0..<4)], records: [Fixture.ended()], at: now)
        #expect(usage.violation == nil)
        other.committed(tokens: [Fixture.tokens(3..<4)], records: [], at: now)
        #expect(other.violation != nil)
        durability.sent(.tokens(Shared(Fixture.tokens(2..<3))), to: Fixture.peer, at: now)
        #expect(durability.violation != nil)
    }

    @Test func `A job that died with the coordinator need not end, and its key is free`() {
        guard case .accepted(let record) = Fixture.accepted() else { return }
        let loss = CoordinatorLoss(derivedAgain: [], gone: [record])
        var ends = EndChecker(configuration: Fixture.configuration)
        var keys = IdempotenceChecker(configuration: Fixture.configuration)
        ends.committed(tokens: [], records: [Fixture.accepted()], at: now)
        keys.committed(tokens: [], records: [Fixture.accepted()], at: now)
        var other = keys
        other.committed(tokens: [], records: [Fixture.accepted(2)], at: now)
        #expect(other.violation != nil)
        ends.lost(loss, at: now)
        keys.lost(loss, at: now)
        keys.committed(tokens: [], records: [Fixture.accepted(2)], at: now)
        let end = WorldEnd(
            machine: CoordinatorMachine(settings: CoordinatorSettings(secret: 1)),
            journal: [],
            isLate: false
        )
        ends.worldEnded(end, at: now)
        #expect(ends.violation == nil)
        #expect(keys.violation == nil)
    }
}
