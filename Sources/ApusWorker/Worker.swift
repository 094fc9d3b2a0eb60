import ApusCore
public import ApusEngine
public import ApusModel
import ApusProtocol
import DequeModule
public import Logging
public import ServiceLifecycle
import Synchronization
public import ZeroMQ

/// A worker process's heart: an engine on a thread of its own, and this actor, which is the thread of its socket.
///
/// It registers with the coordinator whenever a connection is ready, runs what it is assigned and sends every step's tokens
/// as one message. While the coordinator is away its streams go on up to their limits; what is not acknowledged is sent
/// again when the coordinator is back. A beat goes out every `beatInterval`, also in the middle of a long step, and carries
/// the engine's own progress: a frozen process sends none, a hung engine sends beats whose progress stands still.
///
/// Isolation: the actor runs on its own `PollExecutor`; `run()` may be called from anywhere, once.
public actor Worker: Service, PollDriver {
    /// Messages that one turn takes from the socket.
    static let messagesPerTurn = 256

    /// How long the last message may take to leave the process.
    static let farewell: Duration = .milliseconds(50)

    /// How long a shutdown waits for the engine's thread to end a step.
    static let engineFarewell: Duration = .seconds(2)

    /// Where the worker is in its life.
    enum Phase {
        case running
        /// The coordinator knows that the worker wants to leave; running streams may finish until then.
        case draining(until: Timestamp)
        /// The engine's thread has been told to end, and the coordinator Bye. Not before `earliest`, so that the message is
        /// out; not after `latest`, even if the engine hangs.
        case leaving(earliest: Timestamp, latest: Timestamp)
        case finished
    }

    let executor: PollExecutor
    let shutdown = ShutdownFlag()
    let context: ZeroMQContext
    let socket: Socket
    let monitor: SocketMonitor
    var token: PollToken?
    var monitorToken: PollToken?

    let configuration: WorkerConfiguration
    let logger: Logger
    let onReady: @Sendable (EngineDescription) -> Void
    let loop: EngineLoop
    let incarnation = Incarnation(rawValue: .random(in: .min ... .max))
    var description: EngineDescription?

    var phase = Phase.running
    /// Whether no new streams are taken: the coordinator said so, or this worker wants to leave.
    var isDraining = false
    var engineHasStopped = false
    var enlistment: EnlistmentMachine
    var hasBeenReady = false
    var outgoing: Deque<[UInt8]> = []
    /// Since when something waits in `outgoing`, and how long something did since it was last told.
    var sendingSince: Timestamp?
    var sendingTime = Duration.zero
    var interest: PollInterest = .readable
    var beatDue = Timestamp.zero
    var memory: MemoryMonitor
    var memoryDue = Timestamp.zero
    var network = NetworkStability()
    var histories = HistoryParts()
    var malformed = RateLimitedLog()
    var refusals = RateLimitedLog()
    var outcome: Result<Void, ApusError> = .success(())
    var completion: CheckedContinuation<Result<Void, ApusError>, Never>?

    /// The poll loop that this actor runs on.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Opens a worker's socket; nothing connects before `run()`.
    ///
    /// - Parameters:
    ///   - configuration: How the worker behaves.
    ///   - logger: Where it says what happens; never prompts or texts.
    ///   - onReady: Called once, when the coordinator has enlisted the worker for the first time; must not block.
    ///   - engine: Makes the engine, on the thread that will run it.
    /// - Throws: `internalFailure` when sockets or descriptors ran out.
    public init(
        configuration: WorkerConfiguration,
        logger: Logger,
        onReady: @escaping @Sendable (EngineDescription) -> Void = { _ in },
        engine: @escaping @Sendable () throws -> any InferenceEngine
    ) throws(ApusError) {
        var logger = logger
        logger[metadataKey: "worker"] = "\(configuration.name)"
        let executor = PollExecutor(name: "apus-worker")
        do throws(ZeroMQError) {
            context = try ZeroMQContext()
            // ZeroMQ's own heartbeat notices a cut link, on which TCP alone would wait for a minute.
            let options = SocketOptions(heartbeatInterval: .seconds(1), heartbeatTimeout: .seconds(3))
            let socket = try Socket(context, .dealer, options)
            monitor = try socket.monitor()
            self.socket = socket
        } catch {
            throw ApusError(.internalFailure, "\(error)")
        }
        self.executor = executor
        self.configuration = configuration
        self.logger = logger
        self.onReady = onReady
        enlistment = EnlistmentMachine(timeout: configuration.enlistmentTimeout)
        memory = MemoryMonitor(limitBytes: configuration.memoryLimitBytes)
        loop = EngineLoop(
            batch: configuration.batch,
            prefixCacheBytes: configuration.prefixCacheBytes,
            measurementInterval: configuration.measurementInterval,
            wake: { executor.wake() },
            factory: engine
        )
    }

    /// Runs the worker to its end.
    ///
    /// It ends when the coordinator has drained it; on a graceful shutdown, once its streams have finished or the drain timeout
    /// has passed; on a cancellation at once (the coordinator leases the streams elsewhere); and on an error.
    ///
    /// - Throws: The engine's error when it can't be made; `invalidRequest` for an impossible endpoint; `versionMismatch` when
    ///   the coordinator speaks another version.
    public func run() async throws {
        precondition(token == nil, "a worker runs once")
        let shutdown = shutdown
        let executor = executor
        let outcome = await withTaskCancellationHandler {
            await withGracefulShutdownHandler {
                await withCheckedContinuation { continuation in
                    completion = continuation
                    executor.drive(self)
                    token = executor.register(socket)
                    monitorToken = executor.register(monitor)
                    loop.start()
                }
            } onGracefulShutdown: {
                shutdown.raise(.graceful)
                executor.wake()
            }
        } onCancel: {
            shutdown.raise(.immediate)
            executor.wake()
        }
        try outcome.get()
    }

    /// One turn of the poll loop; the executor calls it.
    public func turn(now: Timestamp, ready: ReadySet) -> Timestamp? {
        switch shutdown.urgency {
        case .none: break
        case .graceful: beginDraining(now: now)
        case .immediate: leave(now: now)
        }
        do throws(ZeroMQError) {
            takeFromEngine(now: now)
            try takeMonitorEvents(now: now)
            try receive(now: now)
            if let effect = enlistment.timePassed(now: now) { perform(effect) }
            beat(now: now)
            try send()
        } catch {
            fail(ApusError(.internalFailure, "\(error)"), now: now)
        }
        return advance(now: now)
    }
}
