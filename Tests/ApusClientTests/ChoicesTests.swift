import ApusModel
import ApusProtocol
import Testing

@testable import ApusClient

@Suite("Jobs of several choices")
struct ChoicesTests {
    private typealias Machine = ClientMachine<String, String>

    private func accepted(_ choice: Int, by follower: String) -> Effect {
        let seed = GenerationRequest.seed(ofChoice: choice, of: 42)
        return .accept(follower, AcceptedJob(job: job, seed: seed, choice: choice, choices: 3))
    }

    /// A machine that follows the three streams 70, 71 and 72 of a job.
    private func following() -> Machine {
        var machine = Machine.fresh()
        _ = machine.connected(now: at(0))
        _ = machine.submit(1, by: "a", "b", "c", at: 0)
        _ = machine.received(Message.accepted(1, stream: 70, choices: 3), now: at(0))
        return machine
    }

    @Test("One submit opens a stream a choice, each with its own tokens and end")
    func oneSubmitOpensAll() {
        var machine = Machine.fresh()
        _ = machine.connected(now: at(0))
        #expect(machine.submit(1, by: "a", "b", "c", at: 0) == [Message.submit(1)])
        let effects = machine.received(Message.accepted(1, stream: 70, choices: 3), now: at(0))
        #expect(effects == [accepted(0, by: "a"), accepted(1, by: "b"), accepted(2, by: "c")])
        let texts = machine.tokens(Message.tokens((72, 0..<2), (70, 0..<1))).texts
        #expect(texts == ["c0: 0 1 ", "a0: 0 "])
        #expect(machine.received(Message.finished(72, tokens: 2), now: at(1)) == [.finish("c", Message.end(tokens: 2))])
        #expect(machine.tokens(Message.tokens((71, 0..<1))).texts == ["b0: 0 "])
        #expect(machine.openStreams == 2)
    }

    @Test("Each stream has credit of its own")
    func creditEach() {
        var machine = following()
        _ = machine.tokens(Message.tokens((70, 0..<4), (72, 0..<5)))
        #expect(machine.dueCredit() == [Message.credit([70: 12, 72: 13])])
    }

    @Test("An unanswered submit goes out again once, for all of its streams")
    func unansweredSubmit() {
        var machine = Machine.fresh()
        _ = machine.connected(now: at(0))
        _ = machine.submit(1, by: "a", "b", "c", at: 0)
        _ = machine.disconnected(now: at(1))
        #expect(machine.connected(now: at(2)) == [.discardUnsent, Message.hello(), Message.submit(1)])
        #expect(machine.received(Message.accepted(1, stream: 5, choices: 3), now: at(2)).count == 3)
    }

    @Test("After a lost connection each open stream attaches at its own next index")
    func reconnecting() {
        var machine = following()
        _ = machine.tokens(Message.tokens((70, 0..<1), (72, 0..<3)))
        _ = machine.received(Message.finished(71, tokens: 0), now: at(1))
        _ = machine.disconnected(now: at(1))
        let effects = machine.connected(now: at(2))
        let expected = [
            .discardUnsent, Message.hello(), Message.attach(1, choice: 0, from: 1, credit: 9),
            Message.attach(3, choice: 2, from: 3, credit: 11),
        ]
        #expect(effects == expected)
        // The numbers may be others now.
        #expect(machine.received(Message.accepted(3, stream: 92, choices: 3), now: at(2)).isEmpty)
        #expect(machine.received(Message.accepted(1, stream: 90, choices: 3), now: at(2)).isEmpty)
        #expect(machine.tokens(Message.tokens((92, 3..<4), (90, 1..<2))).texts == ["c3: 3 ", "a1: 1 "])
    }

    @Test("A refused or unanswered submit fails all of its streams")
    func refusals() {
        let refuse: (inout Machine) -> [Effect] = { $0.received(Message.rejected(1, .overloaded), now: at(1)) }
        let expire: (inout Machine) -> [Effect] = { $0.timePassed(now: at(31)) }
        for fail in [refuse, expire] {
            var machine = Machine.fresh()
            _ = machine.connected(now: at(0))
            _ = machine.submit(1, by: "a", "b", "c", at: 0)
            let failed = fail(&machine).compactMap { effect in if case .fail(let name, _) = effect { name } else { nil }
            }
            #expect(failed == ["a", "b", "c"])
            #expect(machine.openStreams == 0)
            // The key is free again.
            #expect(machine.submit(9, by: "d", "e", at: 32) == [Message.submit(9)])
        }
    }

    @Test("Streams are bounded, all of a job's together")
    func bounds() {
        var machine = Machine.fresh(maximumStreams: 3)
        _ = machine.connected(now: at(0))
        _ = machine.submit(1, by: "a", "b", at: 0)
        let refused = machine.submit(3, key: "2", by: "c", "d", at: 0)
        #expect(refused.count == 2)
        guard case .fail("d", let error)? = refused.last else {
            Issue.record("\(refused)")
            return
        }
        #expect(error.code == .overloaded)
        #expect(machine.submit(5, key: "3", by: "c", at: 0) == [Message.submit(5, key: "3")])
    }

    @Test("The job is cancelled with the last of its streams that is given up")
    func givingUp() {
        var machine = following()
        #expect(machine.abandoned(request: 2, now: at(1)) == [Machine.detach([71])])
        _ = machine.received(Message.finished(70, tokens: 0), now: at(1))
        #expect(machine.abandoned(request: 3, now: at(1)) == [Message.cancel(3)])
        #expect(machine.openStreams == 0)
    }

    @Test("A job with a detached stream is left to itself")
    func detaching() {
        var machine = following()
        #expect(machine.detached(request: 1) == [Machine.detach([70])])
        #expect(machine.abandoned(request: 2, now: at(1)) == [Machine.detach([71])])
        #expect(machine.abandoned(request: 3, now: at(1)) == [Machine.detach([72])])
    }

    @Test("A submit that nobody waits for any more is cancelled once, when it is accepted")
    func abandonedSubmit() {
        var machine = Machine.fresh()
        _ = machine.connected(now: at(0))
        _ = machine.submit(1, by: "a", "b", "c", at: 0)
        for request: UInt64 in 1...3 { #expect(machine.abandoned(request: request, now: at(0)).isEmpty) }
        #expect(machine.received(Message.accepted(1, stream: 70, choices: 3), now: at(1)) == [Message.cancel(1)])
        #expect(machine.openStreams == 0)
    }

    @Test("A submit that no coordinator heard of is dropped when all have gone, and not before")
    func abandonedBeforeTheConnection() {
        var machine = Machine.fresh()
        _ = machine.submit(1, by: "a", "b", at: 0)
        _ = machine.abandoned(request: 1, now: at(0))
        #expect(machine.openStreams == 2)
        var other = machine
        _ = machine.abandoned(request: 2, now: at(0))
        #expect(machine.connected(now: at(1)) == [.discardUnsent, Message.hello()])
        // One has stayed: the job is submitted, and the other stream left once it has a number.
        #expect(other.connected(now: at(1)) == [.discardUnsent, Message.hello(), Message.submit(1)])
        let effects = other.received(Message.accepted(1, stream: 70, choices: 2), now: at(1))
        #expect(effects.first == Machine.detach([70]))
        #expect(effects.count == 2)
    }

    @Test("A shut down client cancels a submit of several choices that was under way")
    func shutdown() {
        var machine = Machine.fresh()
        _ = machine.connected(now: at(0))
        _ = machine.submit(1, by: "a", "b", at: 0)
        #expect(machine.shutDown(now: at(1)).count == 2)
        #expect(machine.received(Message.accepted(1, stream: 70, choices: 2), now: at(1)) == [Message.cancel(1)])
        #expect(machine.received(Message.done(1), now: at(1)) == [.close])
    }

    @Test("A coordinator that makes another number of streams is not believed", arguments: [0, 2, 4, UInt32.max])
    func wrongNumber(choices: UInt32) {
        var machine = Machine.fresh()
        _ = machine.connected(now: at(0))
        _ = machine.submit(1, by: "a", "b", "c", at: 0)
        let effects = machine.received(Message.accepted(1, stream: .max, choices: choices), now: at(0))
        #expect(effects.count == 4)
        guard case .fail("a", let error)? = effects.first else {
            Issue.record("\(effects)")
            return
        }
        #expect(error.code == .protocolViolation)
        #expect(machine.openStreams == 0)
        #expect(machine.malformed == 1)
    }

    @Test("Two choices of a job can be attached to, and one of them not twice")
    func attaching() {
        var machine = Machine.fresh()
        _ = machine.connected(now: at(0))
        func attach(_ request: UInt64, _ choice: Int, _ follower: String) -> [Effect] {
            machine.attached(
                request: request,
                .job(job),
                choice: choice,
                from: 2,
                follower: follower,
                window: 8,
                now: at(0)
            )
        }
        #expect(attach(1, 0, "a") == [Message.attach(1, choice: 0, from: 2, credit: 10)])
        #expect(attach(2, 2, "b") == [Message.attach(2, choice: 2, from: 2, credit: 10)])
        #expect(attach(3, 2, "c") == [.fail("c", Machine.followedAlready(job))])
        let accepted = machine.received(Message.accepted(2, stream: 72, choices: 3), now: at(0))
        // The seed is the stream's own.
        #expect(accepted == [.accept("b", AcceptedJob(job: job, seed: 42, choice: 2, choices: 3))])
        #expect(machine.abandoned(request: 2, now: at(1)) == [Machine.detach([72])])
    }

    @Test("A gap in one stream is asked for in its name")
    func gaps() {
        var machine = following()
        let effects = machine.tokens(Message.tokens((71, 3..<4), (70, 0..<1))).effects
        #expect(effects == [Message.attach(2, choice: 1, from: 0, credit: 8)])
    }
}
