import ApusCore
import ApusModel
import Testing

@testable import ApusSimulator

@Suite("Checkers of what clients get")
struct ClientCheckerTests {
    private let now = Fixture.now

    @Test func `True tokens are a prefix and others are not`() {
        var checker = PrefixChecker(configuration: Fixture.configuration)
        checker.committed(tokens: [], records: [Fixture.accepted()], at: now)
        checker.clientReceived(.tokens(Shared(Fixture.tokens(0..<3))), by: Fixture.client, at: now)
        #expect(checker.violation == nil)
        checker.clientReceived(
            .tokens(Shared(Fixture.tokens(3..<4, numerics: Fixture.other))),
            by: Fixture.client,
            at: now
        )
        #expect(checker.violation?.message.contains("index 3 of stream 1") == true)
    }

    @Test(arguments: [0..<2, 4..<6]) func `A client gets no index twice and misses none`(wrong: Range<Int>) {
        var checker = GapChecker(configuration: Fixture.configuration)
        checker.clientSent(Fixture.submit(), by: Fixture.client, at: now)
        checker.clientReceived(Fixture.accept(), by: Fixture.client, at: now)
        checker.clientReceived(.tokens(Shared(Fixture.tokens(0..<3))), by: Fixture.client, at: now)
        #expect(checker.violation == nil)
        checker.clientReceived(.tokens(Shared(Fixture.tokens(wrong))), by: Fixture.client, at: now)
        #expect(checker.violation?.message.contains("expected index 3") == true)
    }

    @Test func `An end that comes before the last token is noticed`() {
        var checker = GapChecker(configuration: Fixture.configuration)
        checker.clientSent(Fixture.submit(), by: Fixture.client, at: now)
        checker.clientReceived(Fixture.accept(), by: Fixture.client, at: now)
        checker.clientReceived(.finished(Fixture.stream, Fixture.job, Fixture.end()), by: Fixture.client, at: now)
        #expect(checker.violation != nil)
    }

    @Test func `An index has one content in the journal, at clients and in histories`() {
        let right = Fixture.tokens(0..<4)
        var checker = ContentChecker(configuration: Fixture.configuration)
        checker.committed(tokens: [right], records: [], at: now)
        checker.clientReceived(.tokens(Shared(right)), by: Fixture.client, at: now)
        checker.sent(Fixture.assign(epoch: 2, history: 4), to: Fixture.worker, at: now)
        #expect(checker.violation == nil)
        var other = checker
        other.committed(tokens: [Fixture.tokens(2..<4, numerics: Fixture.other)], records: [], at: now)
        #expect(other.violation != nil)
        other = checker
        other.sent(Fixture.assign(epoch: 2, history: 3), to: Fixture.worker, at: now)
        #expect(other.violation != nil)
        other = checker
        var shifted = right
        shifted.text.append(shifted.text.removeFirst())
        other.clientReceived(.tokens(Shared(shifted)), by: Fixture.client, at: now)
        #expect(other.violation != nil)
    }

    @Test func `Nothing comes after an end until the stream is asked for again`() {
        var checker = SilenceChecker()
        checker.sent(Fixture.accept(), to: Fixture.peer, at: now)
        checker.sent(.finished(Fixture.stream, Fixture.job, Fixture.end()), to: Fixture.peer, at: now)
        checker.sent(Fixture.accept(), to: Fixture.peer, at: now)
        checker.sent(.finished(Fixture.stream, Fixture.job, Fixture.end()), to: Fixture.peer, at: now)
        #expect(checker.violation == nil)
        checker.sent(.tokens(Shared(Fixture.tokens(0..<1))), to: Fixture.peer, at: now)
        #expect(checker.violation != nil)
    }

    @Test func `Nothing comes after the answer to a cancel`() {
        var checker = SilenceChecker()
        checker.committed(tokens: [], records: [Fixture.accepted()], at: now)
        checker.sent(Fixture.accept(), to: Fixture.peer, at: now)
        checker.requestTold(.cancel(number: 2, Fixture.job), from: Fixture.peer, at: now)
        checker.sent(.tokens(Shared(Fixture.tokens(0..<1))), to: Fixture.peer, at: now)
        checker.sent(.done(number: 2), to: Fixture.peer, at: now)
        #expect(checker.violation == nil)
        checker.sent(.tokens(Shared(Fixture.tokens(1..<2))), to: Fixture.peer, at: now)
        #expect(checker.violation != nil)
    }

    @Test func `Nothing of any stream of a job comes after the answer to its cancel`() {
        var checker = SilenceChecker()
        checker.requestTold(Fixture.submit(), from: Fixture.peer, at: now)
        checker.committed(tokens: [], records: [Fixture.accepted(choices: 2)], at: now)
        checker.sent(Fixture.accept(choices: 2), to: Fixture.peer, at: now)
        checker.requestTold(.cancel(number: 2, Fixture.job), from: Fixture.peer, at: now)
        checker.sent(.tokens(Shared(Fixture.tokens(0..<1, of: 2))), to: Fixture.peer, at: now)
        checker.sent(.done(number: 2), to: Fixture.peer, at: now)
        #expect(checker.violation == nil)
        checker.sent(.tokens(Shared(Fixture.tokens(1..<2, of: 2))), to: Fixture.peer, at: now)
        #expect(checker.violation != nil)
    }

    @Test func `A submit's answer names all streams of its job, and each begins at its first token`() {
        var idempotence = IdempotenceChecker(configuration: Fixture.configuration)
        for number: UInt64 in 1...2 {
            idempotence.requestTold(Fixture.submit(number: number), from: Fixture.peer, at: now)
        }
        idempotence.committed(tokens: [], records: [Fixture.accepted(choices: 2)], at: now)
        var other = idempotence
        other.sent(Fixture.accept(choices: 1), to: Fixture.peer, at: now)
        #expect(other.violation?.message.contains("1 streams") == true)
        var gaps = GapChecker(configuration: Fixture.configuration)
        gaps.clientSent(Fixture.submit(), by: Fixture.client, at: now)
        gaps.clientReceived(Fixture.accept(choices: 2), by: Fixture.client, at: now)
        gaps.clientReceived(.tokens(Shared(Fixture.tokens(0..<1, of: 2))), by: Fixture.client, at: now)
        #expect(gaps.violation == nil)
        gaps.clientReceived(.tokens(Shared(Fixture.tokens(2..<3, of: 2))), by: Fixture.client, at: now)
        #expect(gaps.violation != nil)
    }

    @Test func `No connection gets more than it granted`() {
        var checker = CreditChecker(configuration: Fixture.configuration)
        checker.requestTold(Fixture.submit(credit: 2), from: Fixture.peer, at: now)
        checker.sent(Fixture.accept(), to: Fixture.peer, at: now)
        checker.sent(.tokens(Shared(Fixture.tokens(0..<2))), to: Fixture.peer, at: now)
        checker.requestTold(.credit(streams: [1], limits: [4]), from: Fixture.peer, at: now)
        checker.sent(.tokens(Shared(Fixture.tokens(2..<4))), to: Fixture.peer, at: now)
        #expect(checker.violation == nil)
        checker.sent(.tokens(Shared(Fixture.tokens(4..<5))), to: Fixture.peer, at: now)
        #expect(checker.violation?.message.contains("granted 4") == true)
    }

    @Test(arguments: [true, false]) func `Nobody follows between a loss and an attach in the same turn`(isTold: Bool) {
        var machine = CoordinatorMachine(settings: Fixture.configuration.settings)
        var checker = CreditChecker(configuration: Fixture.configuration)
        var turn = Turn()
        guard case .register(let registration, let held) = Fixture.register() else { return }
        machine.turnBegan(at: now)
        machine.registered(registration, held: held, from: Fixture.worker, at: now, into: &turn)
        _ = machine.clientJoined(Fixture.peer, name: "a")
        checker.requestTold(Fixture.submit(credit: 2), from: Fixture.peer, at: now)
        machine.submitted(
            by: Fixture.peer,
            number: 1,
            key: "k0",
            request: Fixture.request,
            credit: 2,
            at: now,
            into: &turn
        )
        machine.turnEnded(at: now, into: &turn)
        checker.committed(tokens: [], records: turn.records, at: now)
        checker.sent(Fixture.accept(), to: Fixture.peer, at: now)
        turn.reset()
        machine.turnBegan(at: now)
        machine.clientLost(Fixture.peer, into: &turn)
        if isTold { checker.lossTold(of: Fixture.peer, at: now) }
        _ = machine.clientJoined(Fixture.peer, name: nil)
        let attach = ClientRequest.attach(number: 2, job: nil, key: "k0", choice: 0, from: 0, credit: 2)
        checker.requestTold(attach, from: Fixture.peer, at: now)
        machine.attached(by: Fixture.peer, number: 2, job: nil, key: "k0", from: 0, credit: 2, into: &turn)
        machine.turnEnded(at: now, into: &turn)
        checker.turnDecided(turn, by: machine, at: now)
        #expect((checker.violation == nil) == isTold)
    }

    @Test func `No worker computes beyond its window`() {
        let window = Fixture.configuration.settings.workerWindow
        var checker = CreditChecker(configuration: Fixture.configuration)
        checker.sent(Fixture.assign(limit: window), to: Fixture.worker, at: now)
        #expect(checker.violation == nil)
        checker.sent(
            .acknowledge(streams: [1], through: [0], limits: [UInt64(window + 1)]),
            to: Fixture.worker,
            at: now
        )
        #expect(checker.violation != nil)
    }

    @Test func `A key stays with its job, its stream and its seed`() {
        var checker = IdempotenceChecker(configuration: Fixture.configuration)
        for number: UInt64 in 1...2 {
            checker.requestTold(Fixture.submit(number: number), from: Fixture.peer, at: now)
        }
        checker.committed(tokens: [], records: [Fixture.accepted()], at: now)
        checker.sent(Fixture.accept(), to: Fixture.peer, at: now)
        #expect(checker.violation == nil)
        var other = checker
        other.sent(Fixture.accept(number: 2, seed: 43), to: Fixture.peer, at: now)
        #expect(other.violation != nil)
        checker.committed(tokens: [], records: [Fixture.accepted(2)], at: now)
        #expect(checker.violation != nil)
    }
}
