import ApusModel
import Testing

@testable import apus

@Suite("The supervisor's machine")
struct SupervisorMachineTests {
    private func at(_ seconds: Double) -> Timestamp { Timestamp.zero + .milliseconds(Int64(seconds * 1000)) }

    private func running() -> SupervisorMachine {
        var machine = SupervisorMachine(names: ["coordinator", "worker-1", "worker-2"])
        _ = machine.began()
        for child in 0..<3 { _ = machine.becameReady(child, now: at(8)) }
        return machine
    }

    @Test("Workers start when the coordinator is ready, and readiness is announced once")
    func startsInOrder() {
        var machine = SupervisorMachine(names: ["coordinator", "worker-1", "worker-2"])
        #expect(machine.began() == [.start(0)])
        #expect(machine.becameReady(0, now: at(8)) == [.start(1), .start(2)])
        #expect(machine.becameReady(2, now: at(8)) == [])
        #expect(machine.becameReady(1, now: at(8)) == [.announce])
    }

    @Test("A process that dies starts again after a pause")
    func restarts() {
        var machine = running()
        let effects = machine.exited(1, .signal(9), lastWords: nil, now: at(10))
        #expect(effects.last == .wake(at(10.5)))
        #expect(machine.timePassed(now: at(10.4)) == [])
        #expect(machine.timePassed(now: at(10.5)) == [.start(1)])
        #expect(machine.becameReady(1, now: at(8)) == [])
    }

    @Test("A process that served for a while starts again at once")
    func restartsAtOnce() {
        var machine = running()
        #expect(machine.exited(0, .signal(9), lastWords: nil, now: at(13)).last == .wake(at(13)))
        #expect(machine.timePassed(now: at(13)) == [.start(0)])
    }

    @Test("A worker that was drained is not started again")
    func drainedWorkersStayAway() {
        var machine = running()
        let effects = machine.exited(1, .status(0), lastWords: nil, now: at(10))
        guard case .report? = effects.first, effects.count == 1 else {
            Issue.record("\(effects)")
            return
        }
        #expect(machine.timePassed(now: at(100)) == [])
        #expect(machine.stopRequested(now: at(101)) == [.stop(2), .wake(at(113))])
    }

    @Test("The pause doubles up to ten seconds while a process dies before it is ready")
    func pausesDouble() {
        var machine = running()
        var now = at(0)
        var pauses: [Double] = []
        for _ in 0..<SupervisorMachine.failureLimit {
            guard case .wake(let moment)? = machine.exited(1, .signal(11), lastWords: nil, now: now).last else { break }
            pauses.append((moment - now).inSeconds)
            now = moment
            _ = machine.timePassed(now: now)
        }
        #expect(pauses.prefix(4) == [0.5, 0.5, 1, 2])
    }

    @Test("A process that dies five times before it is ready stops everything")
    func givesUp() {
        var machine = SupervisorMachine(names: ["coordinator", "worker-1"])
        _ = machine.began()
        _ = machine.becameReady(0, now: at(8))
        for turn in 1..<SupervisorMachine.failureLimit {
            _ = machine.exited(1, .status(1), lastWords: nil, now: at(Double(turn)))
            #expect(machine.timePassed(now: at(Double(turn) + 30)) == [.start(1)])
        }
        let effects = machine.exited(1, .status(1), lastWords: "out of memory", now: at(100))
        #expect(effects.contains(.stop(0)))
        let verdict = machine.exited(0, .status(0), lastWords: nil, now: at(101))
        guard case .finish(let end)? = verdict.last else {
            Issue.record("\(verdict)")
            return
        }
        #expect(end.status == 1)
        #expect(end.message?.contains("out of memory") == true)
    }

    @Test("A process that says its input is wrong stops everything with status 2")
    func wrongInputStops() {
        var machine = SupervisorMachine(names: ["coordinator", "worker-1", "worker-2"])
        _ = machine.began()
        _ = machine.becameReady(0, now: at(8))
        let effects = machine.exited(1, .status(2), lastWords: "error: no model", now: at(1))
        #expect(effects == [.stop(2), .wake(at(13))])
        #expect(machine.exited(2, .status(0), lastWords: nil, now: at(2)) == [.stop(0), .wake(at(14))])
        let message = "worker-1 could not start: error: no model"
        let last = machine.exited(0, .status(0), lastWords: nil, now: at(3))
        #expect(last == [.finish(.init(status: 2, message: message))])
    }

    @Test("A coordinator that can't start leaves nothing to stop")
    func coordinatorFails() {
        var machine = SupervisorMachine(names: ["coordinator", "worker-1"])
        _ = machine.began()
        let effects = machine.exited(0, .status(2), lastWords: "in use", now: at(1))
        #expect(effects.last == .finish(.init(status: 2, message: "coordinator could not start: in use")))
    }

    @Test("Ctrl-C stops workers, then the coordinator")
    func stopsInOrder() {
        var machine = running()
        #expect(machine.stopRequested(now: at(1)) == [.stop(1), .stop(2), .wake(at(13))])
        #expect(machine.exited(1, .status(0), lastWords: nil, now: at(2)) == [])
        #expect(machine.exited(2, .status(0), lastWords: nil, now: at(2)) == [.stop(0), .wake(at(14))])
        let last = machine.exited(0, .status(0), lastWords: nil, now: at(3))
        #expect(last == [.finish(.init(status: 0, message: nil))])
    }

    @Test("What does not stop in time is killed, and a second Ctrl-C does not wait")
    func killsTheSlow() {
        var machine = running()
        _ = machine.stopRequested(now: at(1))
        #expect(machine.timePassed(now: at(5.9)) == [])
        #expect(machine.timePassed(now: at(13)) == [.kill(1), .kill(2)])
        #expect(machine.stopRequested(now: at(13)) == [.kill(0), .kill(1), .kill(2)])
    }
}
