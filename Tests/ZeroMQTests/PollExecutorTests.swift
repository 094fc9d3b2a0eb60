import ApusModel
import Dispatch
import Foundation
import Synchronization
import Testing

@testable import ZeroMQ

@Suite("Poll executor", .timeLimit(.minutes(1)))
struct PollExecutorTests {
    @Test("Isolation holds on the executor's thread and nowhere else")
    func isolation() async {
        let executor = PollExecutor(name: "isolation")
        let actor = Turner(executor)
        #expect(executor.isIsolatingCurrentContext() == false)
        #expect(await actor.perform { executor.isIsolatingCurrentContext() } == true)
        let other = Turner(PollExecutor(name: "other"))
        #expect(await other.perform { executor.isIsolatingCurrentContext() } == false)
        let turns = await actor.perform { turnsAssumingIsolation(of: actor) }
        #expect(turns == 0)
    }

    @Test("Assuming the isolation elsewhere traps")
    func noIsolationElsewhere() async {
        await #expect(processExitsWith: .failure) {
            let actor = Turner(PollExecutor(name: "elsewhere"))
            turnsAssumingIsolation(of: actor)
        }
    }

    @Test("Registering from another thread traps")
    func noRegistrationElsewhere() async {
        await #expect(processExitsWith: .failure) {
            let socket = try Socket(ZeroMQContext(), .router)
            _ = PollExecutor(name: "elsewhere").register(socket)
        }
    }

    @Test("Closing a socket that is still polled traps")
    func closedWhilePolled() async {
        await #expect(processExitsWith: .failure) {
            try await Forgetful().forget(driving: true)
            await Signal().wait()
        }
    }

    @Test("A socket is not polled, and may close, while there is no driver to read it")
    func closedWithoutDriver() async {
        await #expect(processExitsWith: .success) {
            let actor = Forgetful()
            try await actor.forget(driving: false)
            for _ in 0..<10 { await actor.rest() }
        }
    }

    @Test("Every job of many submitters runs once, and those of one submitter in order")
    func jobsRunInOrder() async {
        let submitters = 8
        let jobs = 2000
        let log = await withTaskGroup { group in
            let log = JobLog()
            for submitter in 0..<submitters {
                group.addTask {
                    var tasks: [Task<Void, Never>] = []
                    for job in 0..<jobs {
                        tasks.append(Task { @Ordered in log.append(submitter, job) })
                    }
                    for task in tasks { await task.value }
                }
            }
            await group.waitForAll()
            return log
        }
        let runs = await log.runs
        #expect(runs.count == submitters * jobs)
        for submitter in 0..<submitters {
            #expect(runs.filter { $0.submitter == submitter }.map(\.job) == Array(0..<jobs))
        }
    }

    @Test("Wakes of a busy executor cost no system call and make one turn")
    func wakesOfBusyExecutor() async {
        let actor = Turner(PollExecutor(name: "busy"))
        let executor = actor.executor
        await actor.start()
        await actor.reach(turn: 1)
        let writes = await actor.perform {
            let before = executor.writtenWakeUps
            DispatchQueue.concurrentPerform(iterations: 4) { _ in
                for _ in 0..<2500 { executor.wake() }
            }
            return executor.writtenWakeUps - before
        }
        #expect(writes == 0)
    }

    @Test("Wakes of a sleeping executor cost at most one system call a turn, and none is lost")
    func wakesOfSleepingExecutor() async {
        let actor = Turner(PollExecutor(name: "asleep"))
        let executor = actor.executor
        await actor.start()
        for _ in 0..<200 {
            let turns = await actor.turns
            DispatchQueue.concurrentPerform(iterations: 4) { _ in
                for _ in 0..<50 { executor.wake() }
            }
            await actor.reach(turn: turns + 1)
        }
        let (writes, turns) = await (executor.writtenWakeUps, actor.turns)
        // The write that a turn answers may come after the next sleep began, which makes one turn for nothing but no second write.
        #expect(writes <= turns + 2)
        #expect(writes < 40_000)
    }

    @Test("A wake during a turn makes another turn")
    func wakeDuringTurn() async {
        let actor = Turner(PollExecutor(name: "again"))
        let executor = actor.executor
        let again = Signal()
        await actor.start { _, turn in
            if turn == 1 { executor.wake() } else { again.set() }
            return nil
        }
        await again.wait()
    }

    @Test("A turn comes when its deadline has passed, without any other reason")
    func deadlinesFire() async {
        let actor = Turner(PollExecutor(name: "deadlines"))
        let started = PollExecutor.monotonicNow()
        let late = Mutex<[Timestamp]>([])
        await actor.start { now, turn in
            late.withLock { $0.append(now) }
            return turn < 20 ? now + .microseconds(turn % 2 == 0 ? 100 : 3000) : nil
        }
        await actor.reach(turn: 20)
        let times = late.withLock { Array($0.prefix(20)) }
        #expect(times.allSatisfy { $0 >= started })
        // Ten waits of 3 ms; ZeroMQ counts milliseconds and may be early by a part of one.
        #expect(times[19] - times[0] >= .milliseconds(20))
    }

    @Test("A deadline in the past makes the next turn come at once")
    func pastDeadline() async {
        let actor = Turner(PollExecutor(name: "past"))
        await actor.start { now, turn in turn < 1000 ? now : nil }
        await actor.reach(turn: 1000)
        #expect(actor.executor.writtenWakeUps < 1000)
    }

    @Test("Jobs queued when the executor stops still run, and the driver is released")
    func stopWithQueuedJobs() async {
        let gone = Signal()
        let executor: PollExecutor
        do {
            let actor = Turner(PollExecutor(name: "stopping"), gone: gone)
            executor = actor.executor
            await actor.start()
            let appended = await withTaskGroup { group in
                for value in 0..<500 { group.addTask { await actor.append(value) } }
                executor.stop()
                executor.stop()
                await group.waitForAll()
                return await actor.log.count
            }
            #expect(appended == 500)
            let turns = await actor.turns
            executor.wake()
            #expect(await actor.turns == turns)
        }
        await gone.wait()
        #expect(executor.isIsolatingCurrentContext() == false)
    }

    @Test("A driver may stop its executor in its own turn")
    func stopInTurn() async {
        let gone = Signal()
        do {
            let actor = Turner(PollExecutor(name: "own turn"), gone: gone)
            let executor = actor.executor
            await actor.start { [weak executor] _, _ in
                executor?.stop()
                return nil
            }
        }
        await gone.wait()
    }

    @Test("A stopped executor runs jobs, and starting a driver on it changes nothing")
    func jobsAfterStop() async {
        let gone = Signal()
        do {
            let actor = Turner(PollExecutor(name: "stopped"), gone: gone)
            actor.executor.stop()
            await actor.start()
            await actor.append(1)
            #expect(await actor.log == [1])
            #expect(await actor.turns == 0)
        }
        await gone.wait()
    }

    @Test("The thread has the executor's name and ends with the executor")
    func threadEnds() async throws {
        let name = "apus-thread-end"
        do {
            let actor = Turner(PollExecutor(name: name + "-and more"))
            await actor.append(1)
            #expect(try threadNames().contains(name))
        }
        while try threadNames().contains(name) { await Task.yield() }
    }

    private func threadNames() throws -> Set<String> {
        let tasks = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")
        // A thread may end between the listing and the look at it.
        let names = tasks.compactMap { try? String(contentsOfFile: "/proc/self/task/\($0)/comm", encoding: .utf8) }
        return Set(names.map { String($0.dropLast()) })
    }
}

/// Claims to be on an actor's thread.
@discardableResult
private func turnsAssumingIsolation(of actor: Turner) -> Int { actor.assumeIsolated { $0.turns } }

/// What ran, in order.
@Ordered
final class JobLog {
    private(set) var runs: [(submitter: Int, job: Int)] = []

    nonisolated init() {}

    func append(_ submitter: Int, _ job: Int) { runs.append((submitter, job)) }
}
