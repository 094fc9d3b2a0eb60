import ApusCore
public import ApusJournal
public import ApusModel
import ApusProtocol
public import Logging
public import ServiceLifecycle
import Synchronization
public import ZeroMQ

/// The coordinator: an actor whose thread polls the sockets of clients and workers.
///
/// Each turn takes the messages that are there, feeds them to the `CoordinatorMachine`, commits what it decided to the journal in
/// one batch, and only then sends. No decision is made here.
///
/// Isolation: everything but `endpoints` is confined to the actor's own thread.
public actor Coordinator: PollDriver, Service {
    /// Messages of one kind of peer that a turn takes before it looks at the others and sends.
    static let messageBudget = 512

    /// When workers are probed after a connection was lost: the transport may tell of the loss before it knows the peer gone, on a
    /// crowded machine by much.
    static let probeDelays: [Duration] = [0, 1, 4, 20, 60, 150, 300].map { .milliseconds($0) }

    /// How long a job that ended stays in memory where the journal keeps it.
    static let memoryOfEnded: Duration = .seconds(60)

    /// Streams whose retention is over that go with one tick.
    static let expiredStreams = 64

    /// How often the journal is asked what it may forget.
    static let expiryInterval: Duration = .seconds(1)

    /// How often a message that a peer did not take is tried again.
    static let flushInterval: Duration = .milliseconds(1)

    /// The thread that runs the actor and polls its sockets.
    public nonisolated let executor: PollExecutor

    /// The executor, as the runtime refers to it.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Where clients and workers reach this coordinator.
    public nonisolated let endpoints: CoordinatorEndpoints

    let configuration: CoordinatorConfiguration
    let logger: Logger
    let identity: String
    let startedAt: Timestamp
    let onReady: @Sendable (CoordinatorEndpoints) -> Void

    var machine: CoordinatorMachine
    let journal: any Journal
    var telemetry: ClusterTelemetry
    var turn = Turn()
    var replay = PendingReplay()
    var keeper = JournalKeeper()

    /// Streams whose tokens could not be read for a client in the turn that is being performed: nothing more of them is sent to it.
    var unread: Set<UnreadStream> = []

    var clientPort: RouterPort
    var workerPort: RouterPort

    /// Frames that could not be decoded, and messages of the wrong shape.
    var malformed: UInt64 = 0

    private var sources: PollSources?
    private var workerProbes: [Timestamp] = []
    private var expiryDue = Timestamp.zero
    private var clientProbes: [Timestamp] = []
    private nonisolated let shutdownRequested = Atomic(false)
    private var stopped: StopRequest = .none
    private var failure: ApusError?
    private let stopping: AsyncStream<Void>
    private let stopSignal: AsyncStream<Void>.Continuation

    /// How far a shutdown is.
    private enum StopRequest {
        case none
        /// Running streams may finish until then.
        case draining(until: Timestamp)
        /// The last messages are on their way.
        case leaving(at: Timestamp)
    }

    private struct PollSources {
        let clients: PollToken
        let workers: PollToken
        let clientMonitor: PollToken
        let workerMonitor: PollToken
    }

    /// Binds the endpoints; nothing is served before `run`.
    ///
    /// - Parameters:
    ///   - configuration: Where to listen.
    ///   - journal: The record of what is promised; owned by the coordinator from now on.
    ///   - logger: Receives what an operator should know; never prompts or tokens.
    ///   - onReady: Called on the coordinator's thread as soon as it serves.
    /// - Throws: `ZeroMQError` where an endpoint can't be bound.
    public init(
        configuration: CoordinatorConfiguration,
        journal: sending any Journal,
        logger: Logger,
        onReady: @escaping @Sendable (CoordinatorEndpoints) -> Void = { _ in }
    ) throws(ZeroMQError) {
        let context = try ZeroMQContext()
        // A client gets few messages a turn, of at most a mebibyte each; a worker sends one a step.
        clientPort = try RouterPort(context, endpoint: configuration.clients, highWaterMark: 256)
        workerPort = try RouterPort(context, endpoint: configuration.workers, highWaterMark: 16_384)
        endpoints = CoordinatorEndpoints(clients: clientPort.endpoint, workers: workerPort.endpoint)
        executor = PollExecutor(name: "coordinator")
        self.configuration = configuration
        self.journal = journal
        self.logger = logger
        self.onReady = onReady
        startedAt = PollExecutor.monotonicNow()
        var generator = SystemRandomNumberGenerator()
        identity = String(generator.next(), radix: 16)
        var settings = CoordinatorSettings(secret: generator.next())
        // Numbers stay short on the wire and still hardly ever meet those of a former life.
        settings.firstStream = generator.next() >> 43 | 1
        settings.shares = configuration.shares
        if journal.keepsEnded {
            settings.recallsEnded = true
            settings.retention = Self.memoryOfEnded
        }
        machine = CoordinatorMachine(settings: settings)
        telemetry = ClusterTelemetry()
        (stopping, stopSignal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// Serves until a graceful shutdown or a cancellation.
    ///
    /// On a graceful shutdown new jobs are rejected. What a durable journal holds goes on in the next life. Other running streams may
    /// finish until the drain timeout; what is unfinished then ends with `shutting_down`. A cancellation ends it at once.
    ///
    /// - Throws: `ApusError` where the journal is damaged or the transport fails. A journal that only can't be written for now ends
    ///   nothing: see `JournalKeeper`.
    public func run() async throws {
        try recover()
        sources = PollSources(
            clients: executor.register(clientPort.socket),
            workers: executor.register(workerPort.socket),
            clientMonitor: executor.register(clientPort.monitor),
            workerMonitor: executor.register(workerPort.monitor)
        )
        executor.drive(self)
        onReady(endpoints)
        await withGracefulShutdownHandler {
            // The stream ends when the last turn says so, and also when the task is cancelled.
            for await _ in stopping {}
        } onGracefulShutdown: {
            self.shutdownRequested.store(true, ordering: .relaxed)
            self.executor.wake()
        }
        executor.stop()
        if let failure { throw failure }
    }

    /// One turn: take what came, decide, commit, send.
    public func turn(now: Timestamp, ready: ReadySet) -> Timestamp? {
        guard let sources, failure == nil else { return nil }
        do {
            guard keeper.isWell else { return try turnWithoutJournal(now: now, ready: ready, sources) }
            machine.turnBegan(at: now)
            if ready.contains(sources.workerMonitor) { try watchWorkers(at: now) }
            if ready.contains(sources.clientMonitor) { try watchClients(at: now) }
            if ready.contains(sources.workers) { try takeWorkerMessages(at: now) }
            if ready.contains(sources.clients) { try takeClientMessages(at: now) }
            try probePeers(at: now)
            if now >= machine.nextTick {
                machine.ticked(at: now, into: &turn)
                try forgetExpired(at: now)
            }
            try flushBacklogs()
            machine.turnEnded(at: now, into: &turn)
            // After the streams of lost workers have found new ones: only then is it known what still runs.
            if advanceShutdown(at: now) { machine.turnEnded(at: now, into: &turn) }
            try perform(at: now)
            if !keeper.isWell { listenToWorkers(false) }
        } catch {
            fail(error)
            return nil
        }
        return nextDeadline(at: now)
    }

    /// Polls the workers' socket or not: what waits there unread would end every poll at once.
    private func listenToWorkers(_ listens: Bool) {
        if let sources { executor.setInterest(listens ? .readable : [], of: sources.workers) }
    }

    private func nextDeadline(at now: Timestamp) -> Timestamp {
        if let retryAt = keeper.retryAt { return retryAt }
        // Sending may have told of lost peers: their streams move on at once.
        if machine.hasWork || !turn.isEmpty { return now }
        var deadline = machine.nextTick
        if let probe = workerProbes.first { deadline = min(deadline, probe) }
        if let probe = clientProbes.first { deadline = min(deadline, probe) }
        if clientPort.hasBacklog || workerPort.hasBacklog { deadline = min(deadline, now + Self.flushInterval) }
        return deadline
    }

    private func fail(_ error: any Error) {
        let described = error as? ApusError ?? ApusError(.internalFailure, "the transport failed: \(error)")
        logger.critical("the coordinator stops", metadata: ["error": "\(described)"])
        failure = described
        stopSignal.finish()
    }

    /// A turn while nothing can be made durable: the undone turn is tried again; else only questions are answered.
    ///
    /// What workers send waits in their sockets, where it holds them up once their windows are full.
    private func turnWithoutJournal(now: Timestamp, ready: ReadySet, _ sources: PollSources) throws -> Timestamp? {
        if ready.contains(sources.workerMonitor) { try watchWorkers(at: now) }
        if ready.contains(sources.clientMonitor) { try watchClients(at: now) }
        if ready.contains(sources.clients) { try takeClientMessages(at: now) }
        try flushBacklogs()
        if let retryAt = keeper.retryAt, now >= retryAt { try perform(at: now) }
        listenToWorkers(keeper.isWell)
        if shutdownRequested.load(ordering: .relaxed) {
            // What is running can't be ended in the journal either: the next life takes it up.
            failure = keeper.refusal
            stopSignal.finish()
            return nil
        }
        return nextDeadline(at: now)
    }

    // MARK: - Lost connections

    private func watchWorkers(at now: Timestamp) throws {
        while let event = try workerPort.monitor.next() {
            switch event.kind {
            case .disconnected, .closed: workerProbes = Self.probeDelays.map { now + $0 }
            case .handshakeFailed: malformed += 1
            default: break
            }
        }
    }

    private func watchClients(at now: Timestamp) throws {
        while let event = try clientPort.monitor.next() {
            switch event.kind {
            // Clients may be many: a burst of losses is answered by few sweeps, the last of them after the last loss.
            case .disconnected, .closed:
                if clientProbes.isEmpty { clientProbes = [now + .milliseconds(20), now + .milliseconds(200)] }
                clientProbes[clientProbes.count - 1] = now + .milliseconds(200)
            case .handshakeFailed: malformed += 1
            default: break
            }
        }
    }

    private func probePeers(at now: Timestamp) throws {
        if let due = workerProbes.first, due <= now {
            workerProbes.removeFirst()
            for peer in machine.connectedWorkers
            where try !workerPort.probe(Route(rawValue: peer.rawValue), with: Self.ping) {
                loseWorker(peer, at: now)
            }
        }
        if let due = clientProbes.first, due <= now {
            clientProbes.removeFirst()
            for peer in machine.connectedClients
            where try !clientPort.probe(Route(rawValue: peer.rawValue), with: Self.ping) {
                loseClient(peer)
            }
        }
    }

    func loseWorker(_ peer: WorkerPeer, at now: Timestamp) {
        workerPort.forget(Route(rawValue: peer.rawValue))
        machine.workerUnreachable(peer, at: now, into: &turn)
    }

    func loseClient(_ peer: ClientPeer) {
        clientPort.forget(Route(rawValue: peer.rawValue))
        machine.clientLost(peer, into: &turn)
    }

    private func flushBacklogs() throws {
        var drained: [Route] = []
        var lost: [Route] = []
        if clientPort.hasBacklog {
            try clientPort.flush(drained: { drained.append($0) }, lost: { lost.append($0) })
            for route in drained { machine.clientUnblocked(ClientPeer(rawValue: route.rawValue)) }
            for route in lost { loseClient(ClientPeer(rawValue: route.rawValue)) }
        }
        if workerPort.hasBacklog {
            lost.removeAll()
            try workerPort.flush(drained: { _ in }, lost: { lost.append($0) })
            for route in lost { loseWorker(WorkerPeer(rawValue: route.rawValue), at: executor.now) }
        }
    }

    // MARK: - The journal

    /// Takes up what a former life promised.
    private func recover() throws(ApusError) {
        let began = PollExecutor.monotonicNow()
        var machine = self.machine
        let numbers = try journal.recover { fact in
            switch fact {
            case .tokens(let columns): machine.replayed(columns)
            case .record(let record): machine.replayed(record)
            }
        }
        let now = PollExecutor.monotonicNow()
        machine.numbersUsed(through: numbers)
        machine.recovered(at: now)
        self.machine = machine
        guard machine.streamCount > 0 else { return }
        let facts: Logger.Metadata = [
            "streams": "\(machine.streamCount)", "ms": "\(Int((now - began).milliseconds))",
        ]
        logger.notice("took up the streams of a former life", metadata: facts)
    }

    /// Forgets ended jobs whose time in the journal is over.
    private func forgetExpired(at now: Timestamp) throws {
        guard journal.keepsEnded, now >= expiryDue else { return }
        do throws(ApusError) {
            let streams = try journal.expired(at: now, limit: Self.expiredStreams)
            // A backlog goes on with the next tick.
            if streams.count < Self.expiredStreams { expiryDue = now + Self.expiryInterval }
            machine.retentionEnded(streams, into: &turn)
            let figures = journal.figures
            // As long as something can go, there is room.
            machine.journalFilled(
                streams.isEmpty && figures.limitBytes > 0 && figures.usedBytes > figures.limitBytes
            )
        } catch {
            guard error.code == .journalUnavailable else { throw error }
            expiryDue = now + Self.expiryInterval
        }
    }

    // MARK: - Shutdown

    /// Goes on with a shutdown.
    ///
    /// - Returns: Whether streams were ended, whose followers have to be told.
    private func advanceShutdown(at now: Timestamp) -> Bool {
        switch stopped {
        case .none:
            guard shutdownRequested.load(ordering: .relaxed) else { return false }
            machine.drainingBegan()
            stopped = .draining(until: now + configuration.drainTimeout)
            return advanceShutdown(at: now)
        case .draining(let until):
            // Streams that only wait for a slot don't hold a shutdown up: nobody knows whether one comes. Nor do those in a durable
            // journal: they go on in the next life.
            guard !machine.runsVolatile || now >= until else { return false }
            machine.abandonAll(at: now, into: &turn)
            // The transport's own thread sends what is handed to it well within this time.
            stopped = .leaving(at: now + .milliseconds(100))
            return true
        case .leaving(let moment):
            if now >= moment { stopSignal.finish() }
            return false
        }
    }
}
