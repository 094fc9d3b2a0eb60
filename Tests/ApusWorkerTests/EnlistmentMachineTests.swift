import ApusModel
import Testing

@testable import ApusWorker

@Suite("Enlistment machine")
struct EnlistmentMachineTests {
    private func at(_ milliseconds: Int64) -> Timestamp { Timestamp(nanoseconds: milliseconds * 1_000_000) }

    @Test("A connection leads through description and registration to delivery")
    func straight() {
        var machine = EnlistmentMachine(timeout: .seconds(1))
        let connected = machine.connected()
        let described = machine.described(session: 1, now: at(5))
        let deadline = machine.deadline
        let enlisted = machine.enlisted()
        #expect(connected == .describe(session: 1))
        #expect(described == .register)
        #expect(deadline == at(1_005))
        #expect(enlisted == .resume(session: 1))
        #expect(machine.isEnlisted)
        #expect(machine.deadline == nil)
    }

    @Test("Without an answer a new session begins, and the old one's description counts no more")
    func timeout() {
        var machine = EnlistmentMachine(timeout: .seconds(1))
        _ = machine.connected()
        _ = machine.described(session: 1, now: at(0))
        let early = machine.timePassed(now: at(999))
        let late = machine.timePassed(now: at(1_000))
        let stale = machine.described(session: 1, now: at(1_001))
        let answerToOld = machine.enlisted()
        let fresh = machine.described(session: 2, now: at(1_002))
        #expect(early == nil)
        #expect(late == .describe(session: 2))
        #expect(stale == nil)
        #expect(answerToOld == nil)
        #expect(fresh == .register)
    }

    @Test("A lost connection makes every later answer worthless until the next one")
    func disconnection() {
        var machine = EnlistmentMachine(timeout: .seconds(1))
        _ = machine.connected()
        _ = machine.described(session: 1, now: at(0))
        _ = machine.enlisted()
        machine.disconnected()
        let enlisted = machine.enlisted()
        let refused = machine.refused()
        let passed = machine.timePassed(now: at(9_000))
        #expect(!machine.isConnected)
        #expect(enlisted == nil)
        #expect(refused == nil)
        #expect(passed == nil)
        #expect(machine.session == 2)
        let again = machine.connected()
        #expect(again == .describe(session: 3))
    }

    @Test("Enlisted without having asked, it delivers again in the same session")
    func unasked() {
        var machine = EnlistmentMachine(timeout: .seconds(1))
        _ = machine.connected()
        _ = machine.described(session: 1, now: at(0))
        _ = machine.enlisted()
        let again = machine.enlisted()
        let refused = machine.refused()
        #expect(again == .resume(session: 1))
        #expect(refused == .describe(session: 2))
        #expect(!machine.isEnlisted)
    }
}
