import ApusModel
import ApusProtocol
import ZeroMQ

@testable import ApusClient

/// A coordinator of a few lines: answers as its script says, on a real socket.
actor FakeCoordinator: PollDriver {
    /// What it answers to a message.
    typealias Script = @Sendable (Apus_V1_Envelope.OneOf_Body) -> [Apus_V1_Envelope.OneOf_Body]

    private struct Waiter {
        var test: @Sendable (Apus_V1_Envelope.OneOf_Body) -> Bool
        var waiter: CheckedContinuation<Void, Never>
    }

    nonisolated let executor = PollExecutor(name: "fake")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
    nonisolated let endpoint: String

    private var socket: Socket?
    private let script: Script
    private var token: PollToken?
    private var peer: Route?
    private var heard: [Apus_V1_Envelope.OneOf_Body] = []
    private var waiters: [Waiter] = []

    /// Listens at an endpoint, or at one of its own choice.
    ///
    /// Its port is then below those that the system gives to connections, so that a successor can have it.
    init(endpoint: String? = nil, script: @escaping Script) throws {
        let socket = try Socket(try ZeroMQContext(), .router)
        if let endpoint {
            self.endpoint = try socket.bind(endpoint)
        } else {
            var found: String?
            while found == nil {
                do throws(ZeroMQError) {
                    found = try socket.bind("tcp://127.0.0.1:\(Int.random(in: 12_000..<32_000))")
                } catch {
                    guard error.isAddressInUse else { throw error }
                }
            }
            self.endpoint = found ?? ""
        }
        self.socket = consume socket
        self.script = script
    }

    func start() {
        token = register()
        executor.drive(self)
    }

    private func register() -> PollToken? {
        // A noncopyable optional can only be borrowed in place.
        switch socket {
        case .some(let socket): executor.register(socket)
        case .none: nil
        }
    }

    /// Dies as far as its client can see; the port is free when this returns.
    func close() {
        if let token { executor.unregister(token) }
        socket = nil
        executor.stop()
    }

    nonisolated func stop() {
        executor.stop()
    }

    func turn(now: Timestamp, ready: ReadySet) -> Timestamp? {
        while let body = receive() {
            heard.append(body)
            for answer in script(body) { send(answer) }
            waiters.removeAll { entry in
                if entry.test(body) { entry.waiter.resume() }
                return entry.test(body)
            }
        }
        return nil
    }

    private func receive() -> Apus_V1_Envelope.OneOf_Body? {
        switch socket {
        case .some(let socket):
            // A fake that fails makes its test fail, which is all it has to do.
            guard let message = try? socket.receiveRouted(), case .message(let route, let frame) = message else {
                return nil
            }
            peer = route
            return try? frame.withBytes { try EnvelopeCodec.decode($0) }.body
        case .none:
            return nil
        }
    }

    /// Sends a message to whoever spoke last.
    func send(_ body: Apus_V1_Envelope.OneOf_Body) {
        guard let peer, let bytes = try? EnvelopeCodec.encode(Apus_V1_Envelope(body)) else { return }
        switch socket {
        case .some(let socket): _ = try? socket.send(bytes, to: peer)
        case .none: break
        }
    }

    /// Waits until a message that passes the test has come, now or before.
    func hears(_ test: @escaping @Sendable (Apus_V1_Envelope.OneOf_Body) -> Bool) async {
        if heard.contains(where: test) { return }
        await withCheckedContinuation { waiters.append(Waiter(test: test, waiter: $0)) }
    }
}

extension FakeCoordinator {
    /// Accepts every submit as stream 70 and every attach as stream 71.
    static let accepting: Script = { body in
        switch body {
        case .submit(let message): [Message.accepted(message.request, stream: 70)]
        case .attach(let message): [Message.accepted(message.request, stream: 71)]
        case .cancel(let message): [Message.done(message.request)]
        default: []
        }
    }

    /// Accepts a submit and sends so many tokens and the end at once.
    static func generating(_ count: Int) -> Script {
        { body in
            guard case .submit(let message) = body else { return accepting(body) }
            var tokens = Apus_V1_Tokens()
            tokens.columns = Apus_V1_TokenColumns(Message.tokens((70, 0..<count)))
            return [
                Message.accepted(message.request, stream: 70), .tokens(tokens), Message.finished(70, tokens: count),
            ]
        }
    }

    /// Runs a test against a coordinator and a client of it.
    @discardableResult
    static func with<R: Sendable>(
        _ script: @escaping Script,
        _ body: (FakeCoordinator, ApusClient) async throws -> R
    ) async throws -> R {
        let coordinator = try FakeCoordinator(script: script)
        defer { coordinator.stop() }
        await coordinator.start()
        let configuration = ClientConfiguration(endpoint: coordinator.endpoint, creditWindow: 8)
        return try await ApusClient.withClient(configuration) { try await body(coordinator, $0) }
    }
}
