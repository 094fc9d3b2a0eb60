public import ApusModel

#if canImport(Glibc)
private import Glibc
#elseif canImport(Musl)
private import Musl
#else
private import Darwin
#endif

/// A thread that polls the sockets of one actor and runs the actor's jobs between polls.
///
/// The actor returns it from `unownedExecutor` and conforms to `PollDriver`; then every socket that it stores is used by this
/// thread only, and the compiler proves it. Jobs of one submitter run in order. The thread lives as long as the executor, also
/// after `stop()`, so an actor on it can always finish what awaits it and deinitialise.
public final class PollExecutor: SerialExecutor, @unchecked Sendable {
    // Invariant: the only stored property is immutable and itself safe to share.
    /// The thread's state, which outlives the executor by as much as the thread does.
    private let loop = PollLoop()

    /// Starts the thread.
    ///
    /// - Parameter name: The thread's name in debuggers and `top`; Linux shows the first 15 bytes.
    public init(name: String) {
        PollThread.start(named: name, loop)
    }

    deinit { loop.finish() }

    // MARK: Sources and driver, on the executor's thread only

    /// Polls a socket from the next turn on; at most 16 at a time.
    ///
    /// - Parameters:
    ///   - socket: The socket; it stays open until it is unregistered or the executor has stopped.
    ///   - interest: What to poll it for.
    /// - Returns: How `ReadySet` knows it.
    public func register(_ socket: borrowing Socket, _ interest: PollInterest = .readable) -> PollToken {
        loop.add(socket.handle, interest)
    }

    /// Polls a monitor from the next turn on.
    ///
    /// - Parameter monitor: The monitor; it stays open until it is unregistered or the executor has stopped.
    /// - Returns: How `ReadySet` knows it.
    public func register(_ monitor: borrowing SocketMonitor) -> PollToken {
        loop.add(monitor.inbox.handle, .readable)
    }

    /// Changes what a source is polled for.
    ///
    /// - Parameters:
    ///   - interest: What to poll it for; nothing silences it.
    ///   - token: A registered source.
    public func setInterest(_ interest: PollInterest, of token: PollToken) {
        loop.setInterest(interest, of: token)
    }

    /// Polls a source no more; afterwards it may close.
    ///
    /// - Parameter token: A registered source.
    public func unregister(_ token: PollToken) {
        loop.remove(token)
    }

    /// Calls an actor's turn each turn from now on, and holds the actor until `stop()`; a second driver replaces the first.
    ///
    /// After `stop()` it does nothing.
    ///
    /// - Parameter driver: The actor; its executor is this one.
    public func drive(_ driver: any PollDriver) {
        loop.setTurn(Self.turn(of: driver))
    }

    private static func turn(of driver: some PollDriver) -> (Timestamp, ReadySet) -> Timestamp? {
        { now, ready in driver.assumeIsolated { $0.turn(now: now, ready: ready) } }
    }

    // MARK: From any thread

    /// Makes a turn happen soon; many calls before it make one turn and at most one system call.
    public func wake() {
        loop.wake()
    }

    /// Ends the turns: jobs enqueued before still run, then the sources are forgotten and the driver is released.
    ///
    /// Returns at once; may be called again. Jobs enqueued later run as ever.
    public func stop() {
        loop.stop()
    }

    /// The time on the clock that turns are given.
    public var now: Timestamp { Self.monotonicNow() }

    /// The time on the system's monotonic clock.
    ///
    /// - Returns: The time since a moment that is the same for all processes of a boot.
    public static func monotonicNow() -> Timestamp {
        var time = timespec()
        // Invariant: the clock exists on every supported system, so the call cannot fail.
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Timestamp(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    /// How many system calls were made to wake the thread.
    package var writtenWakeUps: Int { loop.writtenWakeUps }

    // MARK: SerialExecutor

    /// Takes a job; the runtime calls it.
    ///
    /// - Parameter job: Work of an actor on this executor.
    public func enqueue(_ job: consuming ExecutorJob) {
        loop.enqueue(UnownedJob(job), of: self)
    }

    /// The executor as the runtime refers to it, without holding it.
    ///
    /// - Returns: The reference.
    public func asUnownedSerialExecutor() -> UnownedSerialExecutor {
        UnownedSerialExecutor(ordinary: self)
    }

    /// Traps unless called on the executor's thread; `assumeIsolated` asks it.
    public func checkIsolated() {
        precondition(loop.isOnThread, "not on the executor's thread")
    }

    /// Whether the caller runs on the executor's thread.
    ///
    /// - Returns: Never `nil`: the thread alone decides.
    public func isIsolatingCurrentContext() -> Bool? {
        loop.isOnThread
    }
}
