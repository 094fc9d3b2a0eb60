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
}
