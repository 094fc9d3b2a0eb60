import ApusModel
import ApusProtocol
import Testing

@testable import ApusClient

@Suite("A coordinator that does not know its client any more")
struct ForgottenPeerTests {
    private let hello: [Effect] = [.discardUnsent, Message.hello()]

    @Test("The client says hello again and attaches at its next index")
    func theClientJoinsAgain() {
        var machine = Machine.following()
        _ = machine.tokens(Message.tokens((70, 0..<3)))
        let effects = machine.received(Message.unknownPeer, now: at(5))
        #expect(effects == hello + [Message.attach(1, from: 3, credit: 11)])
        #expect(machine.tokens(Message.tokens((70, 3..<4))).texts == [])
        #expect(machine.received(Message.accepted(1, stream: 71), now: at(5.1)) == [])
        #expect(machine.tokens(Message.tokens((71, 3..<4))).texts == ["a3: 3 "])
    }

    @Test("What is unanswered is asked again, and still fails at its first deadline")
    func requestsAreAskedAgain() {
        var machine = Machine.fresh()
        _ = machine.connected(now: at(0))
        _ = machine.submit(1, at: 5)
        _ = machine.called(request: 2, .status, caller: "x", now: at(6))
        let effects = machine.received(Message.unknownPeer, now: at(7))
        #expect(effects == hello + [Message.submit(1), .send(ClientCall.status.envelope(request: 2))])
        #expect(machine.nextDeadline() == at(35))
        #expect(machine.timePassed(now: at(35)).count == 1)
        #expect(machine.timePassed(now: at(36)).count == 1)
    }

    @Test("It joins at most once a second")
    func joiningIsLimited() {
        var machine = Machine.following()
        _ = machine.received(Message.unknownPeer, now: at(5))
        #expect(machine.received(Message.unknownPeer, now: at(5.1)) == [])
        #expect(machine.received(Message.unknownPeer, now: at(5.2)) == [])
        #expect(machine.nextDeadline() == at(6))
        #expect(machine.timePassed(now: at(5.9)) == [])
        #expect(machine.timePassed(now: at(6)) == hello + [Message.attach(1, from: 0, credit: 8)])
        #expect(machine.timePassed(now: at(8)) == [])
    }

    @Test("Errors from before the welcome belong to messages from before the hello")
    func theWelcomeSettlesIt() {
        var machine = Machine.following()
        _ = machine.received(Message.unknownPeer, now: at(5))
        #expect(machine.received(Message.unknownPeer, now: at(5.1)) == [])
        #expect(machine.received(.welcome(Apus_V1_Welcome()), now: at(5.2)) == [])
        #expect(machine.timePassed(now: at(6)) == [])
    }

    @Test("A coordinator that never knows its client lets the streams time out")
    func aStreamIsNotKeptForEver() {
        var machine = Machine.following()
        var effects: [Effect] = []
        for second in 5...35 {
            effects = machine.timePassed(now: at(Double(second)))
            if !effects.isEmpty { break }
            _ = machine.received(Message.unknownPeer, now: at(Double(second)))
        }
        guard case .fail("a", let error)? = effects.first else {
            Issue.record("\(effects)")
            return
        }
        #expect(error.code == .timeout)
    }

    @Test("A lost connection needs no further loss")
    func aLostConnectionIsNoSession() {
        var machine = Machine.following()
        _ = machine.disconnected(now: at(5))
        #expect(machine.received(Message.unknownPeer, now: at(5)) == [])
        #expect(machine.connected(now: at(6)) == hello + [Message.attach(1, from: 0, credit: 8)])
        #expect(machine.timePassed(now: at(10)) == [])
    }

    @Test("A closing client repeats its last cancellation")
    func closingJoinsAgain() {
        var machine = Machine.following()
        _ = machine.abandoned(request: 1, now: at(5))
        _ = machine.shutDown(now: at(5))
        #expect(machine.received(Message.unknownPeer, now: at(5.1)) == hello + [Message.cancel(1)])
        #expect(machine.received(Message.done(1), now: at(5.2)) == [.close])
    }

    @Test("A job whose retention ended is a finished stream with not_found")
    func aForgottenJobFinishes() {
        var machine = Machine.following()
        _ = machine.tokens(Message.tokens((70, 0..<3)))
        let end = Message.retentionEnd(tokens: 3)
        let message = Apus_V1_Finished(stream: StreamID(rawValue: 70), job: job, end: end)
        #expect(machine.received(.finished(message), now: at(5)) == [.finish("a", end)])
        #expect(machine.openStreams == 0)
    }
}
