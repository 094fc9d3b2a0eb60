import ApusModel
import ApusProtocol
import ZeroMQ

/// A coordinator of a test's own: a router that notes what workers send and sends what the test says.
actor FakeCoordinator: PollDriver {
    private let executor = PollExecutor(name: "fake-coord")
    private let context: ZeroMQContext
    private var socket: Socket
    private var token: PollToken?
    private var endpoint = ""
    private var route: Route?
    private var received: [Apus_V1_Envelope] = []
    private var waiters: [CheckedContinuation<Void, Never>] = []

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init() throws {
        context = try ZeroMQContext()
        socket = try Socket(context, .router)
    }

    /// Listens on a free port; returns the endpoint.
    ///
    /// The port is below those that the system gives to connections, so that it is free again for a restart.
    func start() throws -> String {
        repeat { endpoint = "tcp://127.0.0.1:\(Int.random(in: 12_000..<32_000))" } while try !isBound()
        token = executor.register(socket)
        executor.drive(self)
        return endpoint
    }

    /// Closes every connection and listens again at the same endpoint.
    func restart() throws {
        if let token { executor.unregister(token) }
        route = nil
        received = []
        socket = try Socket(context, .router)
        // ZeroMQ's own thread may still be closing the old listener.
        while try !isBound() {}
        token = executor.register(socket)
    }

    /// Listens, unless the endpoint is still in use.
    private func isBound() throws -> Bool {
        do {
            try socket.bind(endpoint)
            return true
        } catch {
            guard error.isAddressInUse else { throw error }
            return false
        }
    }

    nonisolated func stop() { executor.stop() }

    func turn(now: Timestamp, ready: ReadySet) -> Timestamp? {
        while true {
            // A broken socket shows as a test that gets no message.
            guard case .message(let route, let frame)? = try? socket.receiveRouted() else { break }
            self.route = route
            let envelope = try? frame.withBytes { try EnvelopeCodec.decode($0) }
            if let envelope { received.append(envelope) }
        }
        let waiters = self.waiters
        self.waiters = []
        for waiter in waiters { waiter.resume() }
        return nil
    }

    /// Waits for the first message, not yet taken, that the body turns into a value; takes it and all before it.
    func next<Value: Sendable>(_ body: @Sendable (Apus_V1_Envelope) -> Value?) async -> Value {
        while true {
            while !received.isEmpty {
                if let value = body(received.removeFirst()) { return value }
            }
            await withCheckedContinuation { waiters.append($0) }
        }
    }

    /// Sends a message to the worker that spoke last.
    func send(_ body: Apus_V1_Envelope.OneOf_Body) throws {
        try send(raw: EnvelopeCodec.encode(Apus_V1_Envelope(body)))
    }

    /// Sends any bytes to the worker that spoke last.
    func send(raw bytes: [UInt8]) throws {
        guard let route else { throw ApusError(.notFound, "no worker has spoken yet") }
        guard try socket.send(bytes, to: route) == .sent else { throw ApusError(.unreachable, "the worker is gone") }
    }
}

extension FakeCoordinator {
    /// Waits for a registration and accepts it.
    func enlist(keep: [Apus_V1_Held] = []) async throws -> Apus_V1_Register {
        let register = await next { envelope -> Apus_V1_Register? in
            if case .register(let register) = envelope.body { register } else { nil }
        }
        var enlisted = Apus_V1_Enlisted()
        enlisted.coordinator = "test"
        enlisted.keep = keep
        try send(.enlisted(enlisted))
        return register
    }

    /// Waits for a step that holds what the test looks for.
    func step(where holds: @Sendable @escaping (Apus_V1_Step) -> Bool = { _ in true }) async -> Apus_V1_Step {
        await next { envelope -> Apus_V1_Step? in
            guard case .step(let step) = envelope.body, holds(step) else { return nil }
            return step
        }
    }

    /// Waits for the worker's Bye.
    func bye() async {
        await next { envelope -> Void? in
            if case .bye = envelope.body { () } else { nil }
        }
    }

    /// Waits until the worker says that it wants to leave.
    func leave() async {
        await next { envelope -> Void? in
            if case .leave = envelope.body { () } else { nil }
        }
    }

    /// Collects steps until an attempt's end has come.
    func collect(untilEndOf stream: UInt64) async -> (tokens: [Apus_V1_TokenColumns], end: Apus_V1_AttemptEnd) {
        var tokens: [Apus_V1_TokenColumns] = []
        while true {
            let step = await step { $0.hasTokens || !$0.ends.isEmpty }
            if step.hasTokens { tokens.append(step.tokens) }
            if let end = step.ends.first(where: { $0.stream == stream }) { return (tokens, end) }
        }
    }

    /// Assigns a stream of the simulated engine.
    func assign(
        _ stream: UInt64,
        epoch: UInt32 = 1,
        tokens: UInt32,
        history: [Int32] = [],
        limit: UInt64 = 1_000
    ) throws {
        var assign = Apus_V1_Assign()
        assign.stream = stream
        assign.epoch = epoch
        assign.generation.prompt = "a prompt"
        assign.generation.maxTokens = tokens
        assign.generation.sampling.seed = stream
        assign.history = history
        assign.limit = limit
        try send(.assign(assign))
    }

    /// Acknowledges a stream's tokens.
    func acknowledge(_ stream: UInt64, through: UInt64, limit: UInt64) throws {
        var ack = Apus_V1_Ack()
        ack.streams = [stream]
        ack.through = [through]
        ack.limits = [limit]
        try send(.ack(ack))
    }
}
