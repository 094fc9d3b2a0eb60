internal import ApusModel
private import Synchronization

#if canImport(Glibc)
private import Glibc
#elseif canImport(Musl)
private import Musl
#else
private import Darwin
#endif

/// The thread behind a `PollExecutor`: runs its jobs, its driver's turns and the poll.
///
/// The thread owns the loop, the executor refers to it, and the loop refers to the executor only while jobs of it wait or run. So
/// the thread ends when nobody can enqueue a job any more, and a job can always run.
// Invariant: everything mutable is under `shared`, or in `confined`, which only the loop's thread touches.
final class PollLoop: @unchecked Sendable {
    /// What other threads write.
    private struct Shared {
        var jobs: [UnownedJob] = []
        /// The executor, while jobs of it wait: they refer to it without holding it.
        var keptAlive: PollExecutor?
        /// Somebody wants a turn.
        var isSignalled = false
        /// The thread is in the poll, or about to be, and only a written wake-up gets it out.
        var isAsleep = false
        /// The wake-up has been written since the thread fell asleep.
        var isWritten = false
        /// No more turns.
        var isStopped = false
        /// The executor is gone, and with it everyone who could enqueue.
        var isFinished = false
    }

    /// What only the loop's thread touches.
    private struct Confined {
        var sources = PollSources()
        var ready = ReadySet()
        var turn: ((Timestamp, ReadySet) -> Timestamp?)?
        var isStopped = false
    }

    private let shared = Mutex(Shared())
    private let wakeUp = WakeUp()
    private let thread = Atomic<UInt>(0)
    private let written = Atomic<Int>(0)
    private var confined = Confined()

    /// How many times the wake-up was written.
    var writtenWakeUps: Int { written.load(ordering: .relaxed) }

    /// Whether the caller runs on the loop's thread.
    var isOnThread: Bool { thread.load(ordering: .relaxed) == Self.currentThread }

    /// A thread's number, never 0; one is reused only after the thread with it ended.
    private static var currentThread: UInt {
        #if canImport(Darwin)
        UInt(bitPattern: pthread_self())
        #else
        UInt(pthread_self())
        #endif
    }

    // MARK: From any thread

    /// Adds a job; wakes the thread if it sleeps.
    func enqueue(_ job: UnownedJob, of executor: PollExecutor) {
        let mustWrite = shared.withLock { shared in
            shared.jobs.append(job)
            if shared.keptAlive == nil { shared.keptAlive = executor }
            return Self.claimWakeUp(&shared)
        }
        if mustWrite { write() }
    }

    /// Asks for a turn.
    func wake() {
        signal { $0.isSignalled = true }
    }

    /// Ends the turns.
    func stop() {
        signal { $0.isStopped = true }
    }

    /// Ends the thread, after its last jobs.
    func finish() {
        signal { $0.isFinished = true }
    }

    private func signal(_ change: (inout sending Shared) -> Void) {
        let mustWrite = shared.withLock { shared in
            change(&shared)
            return Self.claimWakeUp(&shared)
        }
        if mustWrite { write() }
    }

    /// Whether the caller has to write the wake-up: once a sleep, however many want the thread awake.
    private static func claimWakeUp(_ shared: inout Shared) -> Bool {
        guard shared.isAsleep, !shared.isWritten else { return false }
        shared.isWritten = true
        return true
    }

    private func write() {
        written.add(1, ordering: .relaxed)
        wakeUp.signal()
    }

    // MARK: On the loop's thread

    /// Polls a socket from the next turn on.
    func add(_ handle: SocketHandle, _ interest: PollInterest) -> PollToken {
        precondition(isOnThread, "sockets are registered on the executor's own thread")
        return confined.sources.add(handle, interest)
    }

    /// Changes what a source is polled for.
    func setInterest(_ interest: PollInterest, of token: PollToken) {
        precondition(isOnThread, "interest changes on the executor's own thread")
        // After stop nothing is registered, and a late job that still cleans up does no wrong.
        guard !confined.isStopped else { return }
        confined.sources.setInterest(interest, of: token)
    }

    /// Polls a source no more.
    func remove(_ token: PollToken) {
        precondition(isOnThread, "sockets are unregistered on the executor's own thread")
        guard !confined.isStopped else { return }
        confined.sources.remove(token)
        confined.ready.remove(slot: token.slot)
    }

    /// Calls a driver each turn from now on.
    func setTurn(_ turn: @escaping (Timestamp, ReadySet) -> Timestamp?) {
        precondition(isOnThread, "a driver starts on the executor's own thread")
        guard !confined.isStopped else { return }
        replaceTurn(with: turn)
    }

    /// Runs until the executor is gone.
    func run() {
        thread.store(Self.currentThread, ordering: .relaxed)
        var batch: [UnownedJob] = []
        while takeJobs(into: &batch) {
            var deadline: Timestamp? = nil
            if let turn = confined.turn {
                deadline = turn(PollExecutor.monotonicNow(), confined.ready)
            }
            poll(until: deadline)
        }
    }

    /// Runs the jobs that were there at the start; jobs enqueued meanwhile wait for the next round, so that sockets get their turn.
    ///
    /// - Returns: Whether to go on.
    private func takeJobs(into batch: inout [UnownedJob]) -> Bool {
        var state = shared.withLock { shared in
            swap(&shared.jobs, &batch)
            shared.isSignalled = false
            defer { shared.keptAlive = nil }
            return (executor: shared.keptAlive, isStopped: shared.isStopped, isFinished: shared.isFinished)
        }
        if let executor = state.executor {
            let unowned = executor.asUnownedSerialExecutor()
            for job in batch { job.runSynchronously(on: unowned) }
        }
        batch.removeAll(keepingCapacity: true)
        // The last reference may go here, outside the lock that the executor's end takes.
        state.executor = nil
        if state.isStopped, !confined.isStopped {
            confined.isStopped = true
            // First the sockets, then the driver: it may own them, and this may be its last reference.
            confined.sources.removeAll()
            confined.ready = ReadySet()
            replaceTurn(with: nil)
        }
        return !state.isFinished
    }

    /// Releases the old driver only after the change: its end may call back into the loop.
    private func replaceTurn(with turn: ((Timestamp, ReadySet) -> Timestamp?)?) {
        let last = confined.turn
        confined.turn = turn
        withExtendedLifetime(last) {}
    }

    /// Waits for whatever comes first.
    private func poll(until deadline: Timestamp?) {
        let mayWait = shared.withLock { shared in
            shared.isAsleep =
                shared.jobs.isEmpty && !shared.isSignalled && !shared.isFinished
                && shared.isStopped == confined.isStopped
            return shared.isAsleep
        }
        let wait = mayWait ? Self.milliseconds(until: deadline) : 0
        // Without a driver nobody reads the sockets, and a message would make the loop spin.
        let includesSockets = confined.turn != nil
        let (ready, isWoken) = confined.sources.poll(wakeUp.descriptor, alone: !includesSockets, milliseconds: wait)
        confined.ready = ready
        if isWoken { wakeUp.clear() }
        shared.withLock { shared in
            shared.isAsleep = false
            shared.isWritten = false
        }
    }

    /// The wait until a deadline as `zmq_poll` takes it: rounded up, so that the loop never spins towards a deadline.
    private static func milliseconds(until deadline: Timestamp?) -> Int {
        guard let deadline, deadline != .distantFuture else { return -1 }
        let wait = (deadline - PollExecutor.monotonicNow()).nanoseconds
        return wait <= 0 ? 0 : Int(min((wait - 1) / 1_000_000 + 1, Int64(Int32.max)))
    }
}
