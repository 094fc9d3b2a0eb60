import ApusModel
import ApusProtocol
import Testing

@testable import ApusClient

@Suite("Time and the end in the client's machine")
struct ClientMachineTimeTests {
    private func error(_ effects: [Effect]) -> ApusError? {
        switch effects.first {
        case .fail(_, let error), .refuse(_, let error): error
        default: nil
        }
    }

    @Test("Without a connection a submit fails as unreachable after the connect timeout")
    func noConnectionIsUnreachable() {
        var machine = Machine.fresh()
        _ = machine.submit(1, at: 10)
        #expect(machine.nextDeadline() == at(15))
        #expect(machine.timePassed(now: at(14.9)) == [])
        let failure = error(machine.timePassed(now: at(15)))
        #expect(failure?.code == .unreachable)
        #expect(failure?.message.contains("apus up") == true)
        #expect(machine.nextDeadline() == nil)
    }

    @Test("A connection in time gives the submit its read timeout")
    func aConnectionStartsTheReadTimeout() {
        var machine = Machine.fresh()
        _ = machine.submit(1, at: 10)
        _ = machine.connected(now: at(14))
        #expect(machine.timePassed(now: at(15)) == [])
        #expect(machine.nextDeadline() == at(44))
        #expect(error(machine.timePassed(now: at(44)))?.code == .timeout)
    }

    @Test("A call without an answer fails after the read timeout")
    func aSilentCallTimesOut() {
        var machine = Machine.fresh()
        _ = machine.connected(now: at(0))
        let sent = machine.called(request: 1, .status, caller: "x", now: at(1))
        #expect(sent == [.send(ClientCall.status.envelope(request: 1))])
        #expect(machine.timePassed(now: at(30.9)) == [])
        #expect(error(machine.timePassed(now: at(31)))?.code == .timeout)
        #expect(machine.received(Message.done(1), now: at(32)) == [])
    }

    @Test("A stream may be silent for ever while the connection lives")
    func silenceIsNoTimeout() {
        var machine = Machine.following()
        #expect(machine.nextDeadline() == nil)
        #expect(machine.timePassed(now: at(100_000)) == [])
    }

    @Test("A connection that stays away fails its streams after the reconnect window")
    func aLongLossIsUnreachable() {
        var machine = Machine.following()
        _ = machine.disconnected(now: at(10))
        #expect(machine.nextDeadline() == at(40))
        #expect(machine.timePassed(now: at(39)) == [])
        #expect(error(machine.timePassed(now: at(40)))?.code == .unreachable)
    }

    @Test("An attach that nobody answers after a reconnection times out")
    func aSilentReattachTimesOut() {
        var machine = Machine.following()
        _ = machine.disconnected(now: at(10))
        _ = machine.connected(now: at(11))
        #expect(machine.nextDeadline() == at(41))
        #expect(error(machine.timePassed(now: at(41)))?.code == .timeout)
    }

    @Test("A coordinator that can't serve a stream for now is asked again, as often as it takes")
    func aRefusedReattachIsRepeated() {
        var machine = Machine.following()
        _ = machine.disconnected(now: at(10))
        _ = machine.connected(now: at(11))
        for second in 0..<100 {
            let refusal = Message.rejected(1, .journalUnavailable, retryAfterMilliseconds: 1_000)
            let now = 12 + Double(second)
            #expect(machine.received(refusal, now: at(now)) == [])
            #expect(machine.nextDeadline() == at(now + 1))
            #expect(machine.timePassed(now: at(now + 1)) == [Message.attach(1, from: 0, credit: 8)])
        }
        // The question itself has its own deadline, which counts anew each time.
        #expect(machine.nextDeadline() == at(12 + 100 + 30))
        #expect(machine.received(Message.accepted(1, stream: 70), now: at(113)) == [])
        #expect(machine.nextDeadline() == nil)
        #expect(machine.tokens(Message.tokens((70, 0..<1))).texts == ["a0: 0 "])
    }

    @Test("A submit that the coordinator can't take for now is the caller's to repeat")
    func aRefusedSubmitIsTold() {
        var machine = Machine(configuration: ClientConfiguration())
        _ = machine.connected(now: at(0))
        _ = machine.submit(1, by: "a", at: 0)
        let refusal = Message.rejected(1, .journalUnavailable, retryAfterMilliseconds: 1_000)
        let effects = machine.received(refusal, now: at(0.1))
        #expect(error(effects)?.code == .journalUnavailable)
        #expect(error(effects)?.retryAfter == .seconds(1))
    }

    @Test("Another version of the protocol fails everything that waits")
    func anotherVersionFailsAll() {
        var machine = Machine.following()
        _ = machine.called(request: 2, .status, caller: "x", now: at(1))
        let mismatch = ApusError(.versionMismatch, "version 9")
        #expect(machine.undecodable(mismatch) == [.fail("a", mismatch), .refuse("x", mismatch)])
    }

    @Test("Garbage is counted and nothing else happens")
    func garbageIsCounted() {
        var machine = Machine.following()
        #expect(machine.undecodable(ApusError(.protocolViolation, "garbage")) == [])
        #expect(machine.malformed == 1)
        #expect(machine.tokens(Message.tokens((70, 0..<1))).texts == ["a0: 0 "])
    }

    @Test("A shutdown fails what is open and closes at once")
    func shutdownFailsAndCloses() {
        var machine = Machine.following()
        #expect(machine.shutDown(now: at(1)) == [.fail("a", Machine.shutDownError), .close])
        #expect(machine.submit(9, by: "c", at: 2) == [.fail("c", Machine.shutDownError)])
        #expect(machine.shutDown(now: at(2)) == [])
    }

    @Test("A shutdown waits for the answers to cancellations")
    func shutdownWaitsForCancellations() {
        var machine = Machine.following()
        _ = machine.abandoned(request: 1, now: at(1))
        #expect(machine.shutDown(now: at(1)) == [])
        #expect(machine.nextDeadline() == at(2))
        #expect(machine.received(Message.done(1), now: at(1.5)) == [.close])
    }

    @Test("A shutdown does not wait longer than its grace")
    func shutdownGivesUpWaiting() {
        var machine = Machine.following()
        _ = machine.abandoned(request: 1, now: at(1))
        _ = machine.shutDown(now: at(1))
        #expect(machine.timePassed(now: at(1.9)) == [])
        #expect(machine.timePassed(now: at(2)) == [.close])
    }

    @Test("A closing client waits for an abandoned submit's acceptance and cancels the job")
    func closingCancelsAnAbandonedSubmit() {
        var machine = Machine.fresh()
        _ = machine.connected(now: at(0))
        _ = machine.submit(1, at: 0)
        #expect(machine.abandoned(request: 1, now: at(1)) == [])
        #expect(machine.shutDown(now: at(1)) == [])
        #expect(machine.timePassed(now: at(1)) == [])
        #expect(machine.nextDeadline() == at(2))
        #expect(machine.received(Message.accepted(1, stream: 70), now: at(1.5)) == [Message.cancel(1)])
        #expect(machine.timePassed(now: at(1.5)) == [])
        #expect(machine.received(Message.done(1), now: at(1.6)) == [.close])
    }

    @Test("A shutdown before the acceptance tells the submitter at once and cancels the job")
    func shutdownCancelsAnUnansweredSubmit() {
        var machine = Machine.following()
        _ = machine.submit(2, key: "second", by: "b", at: 1)
        let effects = machine.shutDown(now: at(1))
        #expect(effects == [.fail("a", Machine.shutDownError), .fail("b", Machine.shutDownError)])
        let second = JobID(rawValue: 8)
        let answer = machine.received(Message.accepted(2, stream: 71, job: second), now: at(1.5))
        #expect(answer == [Message.cancel(2, job: second)])
        #expect(machine.received(Message.done(2), now: at(1.6)) == [.close])
    }

    @Test("A closing client whose submit is rejected has nothing to wait for")
    func closingEndsWithARejection() {
        var machine = Machine.fresh()
        _ = machine.connected(now: at(0))
        _ = machine.submit(1, at: 0)
        #expect(machine.shutDown(now: at(1)) == [.fail("a", Machine.shutDownError)])
        #expect(machine.received(Message.rejected(1, .overloaded), now: at(1.2)) == [.close])
    }

    @Test("A closing client gives up on an acceptance that does not come within its grace")
    func closingGivesUpOnAnAcceptance() {
        var machine = Machine.fresh()
        _ = machine.connected(now: at(0))
        _ = machine.submit(1, at: 0)
        _ = machine.abandoned(request: 1, now: at(1))
        #expect(machine.shutDown(now: at(1)) == [])
        #expect(machine.timePassed(now: at(2)) == [.close])
        #expect(machine.openStreams == 0)
        #expect(machine.nextDeadline() == nil)
    }

    @Test("A submit that no connection has carried is forgotten with its consumer")
    func anUnsentSubmitIsForgotten() {
        var machine = Machine.fresh()
        _ = machine.submit(1, at: 0)
        #expect(machine.abandoned(request: 1, now: at(1)) == [])
        #expect(machine.openStreams == 0)
        _ = machine.submit(2, key: "second", by: "b", at: 1)
        #expect(machine.shutDown(now: at(1)) == [.fail("b", Machine.shutDownError), .close])
    }

    @Test("A client that closes without its connection cancels over the next one, within its grace")
    func closingOutlivesALostConnection() {
        var machine = Machine.fresh()
        _ = machine.connected(now: at(0))
        _ = machine.submit(1, at: 0)
        _ = machine.disconnected(now: at(1))
        #expect(machine.shutDown(now: at(1)) == [.fail("a", Machine.shutDownError)])
        #expect(machine.connected(now: at(1.2)) == [.discardUnsent, Message.hello(), Message.submit(1)])
        #expect(machine.received(Message.accepted(1, stream: 70), now: at(1.3)) == [Message.cancel(1)])
        #expect(machine.received(Message.done(1), now: at(1.4)) == [.close])
    }
}
