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
    private static let farewell: Duration = .milliseconds(50)

    /// How long a shutdown waits for the engine's thread to end a step.
    private static let engineFarewell: Duration = .seconds(2)

    /// Where the worker is in its life.
    private enum Phase {
        case running
        /// The engine's thread has been told to end, and the coordinator Bye. Not before `earliest`, so that the message is
        /// out; not after `latest`, even if the engine hangs.
        case leaving(earliest: Timestamp, latest: Timestamp)
        case finished
    }

    private let executor: PollExecutor
    private let shutdown = ShutdownFlag()
    private let context: ZeroMQContext
    private let socket: Socket
    private let monitor: SocketMonitor
    private var token: PollToken?
    private var monitorToken: PollToken?

    private let configuration: WorkerConfiguration
    private let logger: Logger
    private let onReady: @Sendable (EngineDescription) -> Void
    private let loop: EngineLoop
    private let incarnation = Incarnation(rawValue: .random(in: .min ... .max))
    private var description: EngineDescription?

    private var phase = Phase.running
    private var engineHasStopped = false
    private var enlistment: EnlistmentMachine
    private var hasBeenReady = false
    private var outgoing: Deque<[UInt8]> = []
    private var interest: PollInterest = .readable
    private var beatDue = Timestamp.zero
    private var malformed = RateLimitedLog()
    private var refusals = RateLimitedLog()
    private var outcome: Result<Void, ApusError> = .success(())
    private var completion: CheckedContinuation<Result<Void, ApusError>, Never>?

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
            let socket = try Socket(context, .dealer)
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
        loop = EngineLoop(
            batch: configuration.batch,
            measurementInterval: configuration.measurementInterval,
            wake: { executor.wake() },
            factory: engine
        )
    }

    /// Runs the worker to its end.
    ///
    /// It ends when the coordinator has drained it, on graceful shutdown and on cancellation (both say Bye and leave at once:
    /// the coordinator leases the streams elsewhere), and on an error.
    ///
    /// - Throws: The engine's error when it can't be made; `invalidRequest` for an impossible endpoint; `versionMismatch` when
    ///   the coordinator speaks another version.
    public func run() async throws {
        let shutdown = shutdown
        let executor = executor
        let outcome = await withTaskCancellationOrGracefulShutdownHandler {
            await withCheckedContinuation { continuation in
                completion = continuation
                executor.drive(self)
                token = executor.register(socket)
                monitorToken = executor.register(monitor)
                loop.start()
            }
        } onCancelOrGracefulShutdown: {
            shutdown.raise()
            executor.wake()
        }
        try outcome.get()
    }

    /// One turn of the poll loop; the executor calls it.
    public func turn(now: Timestamp, ready: ReadySet) -> Timestamp? {
        if shutdown.isRaised { leave(now: now) }
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

// MARK: The engine's side

extension Worker {
    private func takeFromEngine(now: Timestamp) {
        // While the socket takes nothing, frames stay in the outbox, whose bound pauses the engine.
        let (events, frames, wasFull) = loop.outbox.take(frames: outgoing.isEmpty)
        for event in events { handle(event, now: now) }
        for frame in frames where frame.session == enlistment.session { outgoing.append(frame.bytes) }
        if wasFull { loop.mailbox.nudge() }
    }

    private func handle(_ event: Outbox.Event, now: Timestamp) {
        switch event {
        case .ready(let description):
            self.description = description
            logger.info(
                "engine ready",
                metadata: ["model": "\(description.model)", "fingerprint": "\(description.fingerprint)"]
            )
            connect(now: now)
        case .failed(let error):
            logger.error("engine could not be made", metadata: ["error": "\(error)"])
            fail(error, now: now)
        case .described(let session, let held):
            if enlistment.described(session: session, now: now) == .register { register(held) }
        case .drained:
            logger.info("drained")
            leave(now: now)
        case .stopped:
            engineHasStopped = true
        }
    }

    private func connect(now: Timestamp) {
        guard case .running = phase else { return }
        do throws(ZeroMQError) {
            try socket.connect(configuration.coordinator)
        } catch {
            fail(ApusError(.invalidRequest, "\(error)"), now: now)
        }
    }
}

// MARK: The coordinator's side

extension Worker {
    private func takeMonitorEvents(now: Timestamp) throws(ZeroMQError) {
        while let event = try monitor.next() {
            switch event.kind {
            case .handshakeSucceeded:
                perform(enlistment.connected())
            case .disconnected:
                // Whatever waits is sent again after the next enlistment, unless it is acknowledged by then.
                enlistment.disconnected()
                outgoing.removeAll()
                logger.warning("coordinator lost", metadata: ["endpoint": "\(configuration.coordinator)"])
            default:
                break
            }
        }
    }

    private func receive(now: Timestamp) throws(ZeroMQError) {
        for _ in 0..<Self.messagesPerTurn where !loop.mailbox.isFull {
            switch try socket.receive() {
            case .none:
                return
            case .malformed:
                malformed.note(logger, "message dropped", reason: "more than one frame", now: now)
            case .message(let frame):
                do throws(ApusError) {
                    let envelope = try Self.decode(frame)
                    handle(try CoordinatorMessage(envelope), now: now)
                } catch {
                    malformed.note(logger, "message dropped", reason: error.message, now: now)
                }
            }
        }
    }

    private static func decode(_ frame: borrowing Frame) throws(ApusError) -> Apus_V1_Envelope {
        let decoded: Result<Apus_V1_Envelope, ApusError> = frame.withBytes { bytes in
            Result { () throws(ApusError) in try EnvelopeCodec.decode(bytes) }
        }
        return try decoded.get()
    }

    private func handle(_ message: CoordinatorMessage, now: Timestamp) {
        switch message {
        case .enlisted(let keep):
            guard case .resume(let session) = enlistment.enlisted() else { return }
            loop.mailbox.post(.resume(session: session, keep: keep))
            logger.info("enlisted", metadata: ["kept": "\(keep.count)"])
            // The coordinator hears of progress from the first moment on.
            beatDue = now
            if !hasBeenReady, let description {
                hasBeenReady = true
                onReady(description)
            }
        case .command(let command):
            loop.mailbox.post(command)
        case .drain:
            logger.info("draining")
            loop.mailbox.post(.drain)
        case .refused(let error):
            refusals.note(logger, "coordinator refused", reason: error.description, now: now)
            switch error.code {
            case .versionMismatch: fail(error, now: now)
            case .notFound: if let effect = enlistment.refused() { perform(effect) }
            default: break
            }
        case .nothing:
            break
        }
    }

    private func perform(_ effect: EnlistmentMachine.Effect) {
        switch effect {
        case .describe(let session):
            // Frames of the session before are worthless from here on.
            outgoing.removeAll()
            loop.mailbox.post(.describe(session: session))
        case .register, .resume:
            // They need what only their inputs carry, and are performed where those arrive.
            break
        }
    }

    private func register(_ held: [HeldAttempt]) {
        guard let description else { return }
        var register = Apus_V1_Register()
        register.name = configuration.name.text
        register.incarnation = incarnation.rawValue
        register.model = description.model.text
        register.slots = UInt32(clamping: description.slots)
        register.contextTokens = UInt64(clamping: description.contextTokens)
        register.fingerprint = description.fingerprint.bytes
        register.exactness = description.exactness.rawValue
        register.engine = description.engine
        register.pid = ProcessFacts.pid
        register.host = ProcessFacts.host
        register.version = ApusVersion.release
        register.held = held.map { Apus_V1_Held($0) }
        enqueue(.register(register))
    }

    private func beat(now: Timestamp) {
        guard now >= beatDue else { return }
        beatDue = now + configuration.beatInterval
        loop.gauge.show(memoryBytes: ProcessFacts.memoryBytes)
        // Behind frames that the socket does not take, a beat says nothing new.
        if enlistment.isEnlisted, outgoing.isEmpty { enqueue(.step(loop.gauge.step)) }
    }

    private func enqueue(_ body: Apus_V1_Envelope.OneOf_Body) {
        do throws(ApusError) {
            outgoing.append(try EnvelopeCodec.encode(Apus_V1_Envelope(body)))
        } catch {
            // Only a registration with very many held attempts could come near a frame's size; their bound prevents it.
            logger.error("message not sent", metadata: ["error": "\(error)"])
        }
    }

    private func send() throws(ZeroMQError) {
        var wanted: PollInterest = loop.mailbox.isFull ? [] : .readable
        while enlistment.isConnected, let bytes = outgoing.first {
            guard try socket.send(bytes) == .sent else {
                wanted.insert(.writable)
                break
            }
            outgoing.removeFirst()
        }
        guard wanted != interest, let token else { return }
        interest = wanted
        executor.setInterest(wanted, of: token)
    }
}

// MARK: The end

extension Worker {
    /// Says Bye and leaves as soon as it is out and the engine's thread has ended.
    private func leave(now: Timestamp) {
        guard case .running = phase else { return }
        if enlistment.isEnlisted { enqueue(.bye(Apus_V1_Bye())) }
        phase = .leaving(earliest: now + Self.farewell, latest: now + Self.engineFarewell)
        loop.mailbox.post(.stop)
    }

    /// Leaves with an error, without a word to the coordinator: it notices the closed connection.
    private func fail(_ error: ApusError, now: Timestamp) {
        guard case .running = phase else { return }
        outcome = .failure(error)
        phase = .leaving(earliest: now, latest: now + Self.engineFarewell)
        loop.mailbox.post(.stop)
    }

    /// Finishes when it is time, and says when the next turn is due.
    private func advance(now: Timestamp) -> Timestamp? {
        switch phase {
        case .running:
            return min(beatDue, enlistment.deadline ?? .distantFuture)
        case .leaving(let earliest, let latest):
            guard now >= latest || (now >= earliest && engineHasStopped) else {
                return engineHasStopped ? earliest : latest
            }
            phase = .finished
            executor.stop()
            completion?.resume(returning: outcome)
            completion = nil
            return nil
        case .finished:
            return nil
        }
    }
}
