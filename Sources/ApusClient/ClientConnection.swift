import ApusModel
import ApusProtocol
import DequeModule
import ZeroMQ

/// The actor that is the client's thread: owns the socket and performs what `ClientMachine` decides.
///
/// It lives until the machine closes; then the executor releases it and the thread ends.
actor ClientConnection: PollDriver {
    /// One context a process is enough, whatever the number of clients; it ends with the process.
    private static let context: Result<ZeroMQContext, ZeroMQError> = Result { () throws(ZeroMQError) in
        try ZeroMQContext(ioThreads: 1)
    }

    /// Messages taken a turn, so that commands and time get their turn under a flood.
    private static let messagesPerTurn = 256

    nonisolated let executor: PollExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Where commands for this connection go.
    nonisolated let inbox: ClientInbox

    /// Opens when the connection is closed.
    nonisolated let closing = Latch()

    private let socket: Socket
    private let monitor: SocketMonitor
    private var socketToken: PollToken?
    private var machine: ClientMachine<any StreamSink, Promise<ClientReply>>
    private var unsent: Deque<[UInt8]> = []
    private var isClosed = false

    /// Opens the socket and begins to connect; `start` begins to serve it.
    ///
    /// - Throws: `invalidRequest` for an impossible endpoint.
    init(configuration: ClientConfiguration) throws(ApusError) {
        do {
            let options = SocketOptions(heartbeatInterval: .seconds(1), heartbeatTimeout: .seconds(4))
            let socket = try Socket(try Self.context.get(), .dealer, options)
            monitor = try socket.monitor()
            try socket.connect(configuration.endpoint)
            self.socket = socket
        } catch {
            throw ApusError(error.isInvalidEndpoint ? .invalidRequest : .unreachable, error.description)
        }
        executor = PollExecutor(name: "apus-client")
        inbox = ClientInbox(waking: executor)
        machine = ClientMachine(configuration: configuration)
    }

    /// Begins to serve the socket.
    func start() {
        socketToken = executor.register(socket)
        _ = executor.register(monitor)
        executor.drive(self)
    }

    /// Commands, then messages, then events of the connection, then time.
    ///
    /// Messages come before events: what a lost connection still delivered belongs to the time before its loss.
    func turn(now: Timestamp, ready: ReadySet) -> Timestamp? {
        for command in inbox.take() { perform(obey(command, now: now)) }
        if receive(now: now) { follow(now: now) }
        perform(machine.timePassed(now: now))
        perform(machine.dueCredit())
        flush()
        return machine.nextDeadline()
    }

    private func obey(
        _ command: ClientInbox.Command,
        now: Timestamp
    ) -> [ClientEffect<any StreamSink, Promise<ClientReply>>] {
        switch command {
        case .submit(let request, let key, let generation, let sinks, let window):
            return machine.submitted(
                request: request,
                key: key,
                generation: generation,
                followers: sinks,
                window: UInt64(window),
                now: now
            )
        case .attach(let request, let target, let choice, let index, let sink, let window):
            return machine.attached(
                request: request,
                target,
                choice: choice,
                from: UInt64(index),
                follower: sink,
                window: UInt64(window),
                now: now
            )
        case .call(let request, let call, let promise):
            return machine.called(request: request, call, caller: promise, now: now)
        case .abandon(let request):
            return machine.abandoned(request: request, now: now)
        case .detach(let request):
            return machine.detached(request: request)
        case .consumed(let request, let index):
            machine.consumed(request: request, through: index)
        case .shutDown:
            return machine.shutDown(now: now)
        }
        return []
    }

    // MARK: - In

    /// Takes messages.
    ///
    /// - Returns: Whether none is left.
    private func receive(now: Timestamp) -> Bool {
        do {
            for _ in 0..<Self.messagesPerTurn {
                switch try socket.receive() {
                case .none: return true
                case .message(let frame): handle(frame, now: now)
                case .malformed: perform(machine.undecodable(ApusError(.protocolViolation, "several frames")))
                }
            }
        } catch {
            breakDown(error, now: now)
        }
        return false
    }

    private func handle(_ frame: borrowing Frame, now: Timestamp) {
        do {
            let envelope = try frame.withBytes { try EnvelopeCodec.decode($0) }
            guard case .tokens(let tokens)? = envelope.body else {
                return perform(machine.received(envelope.body, now: now))
            }
            let message = TokenMessage(TokenColumns(tokens.columns))
            deliver(message, now: now)
        } catch let error as ApusError {
            perform(machine.undecodable(error))
        } catch {
            perform(machine.undecodable(ApusError(.internalFailure, "a frame could not be decoded: \(error)")))
        }
    }

    private func deliver(_ message: TokenMessage, now: Timestamp) {
        var (deliveries, gaps) = machine.tokensReceived(message.columns)
        // One reference for the message: callbacks reach the machine by the inbox only, so nobody leaves meanwhile.
        let followers = machine.followers
        for place in deliveries.indices {
            let delivery = deliveries[place]
            guard let follower = followers[delivery.slot] else { continue }
            deliveries[place].consumed = follower.deliver(
                TokenBatch(
                    message: message,
                    firstIndex: delivery.firstIndex,
                    tokens: delivery.tokens,
                    bytes: delivery.bytes
                )
            )
        }
        machine.delivered(deliveries)
        if !gaps.isEmpty { perform(machine.gapsFound(gaps, now: now)) }
    }

    private func follow(now: Timestamp) {
        do {
            while let event = try monitor.next() {
                switch event.kind {
                case .handshakeSucceeded: perform(machine.connected(now: now))
                case .disconnected: perform(machine.disconnected(now: now))
                default: break
                }
            }
        } catch {
            breakDown(error, now: now)
        }
    }

    // MARK: - Out

    private func perform(_ effects: [ClientEffect<any StreamSink, Promise<ClientReply>>]) {
        for effect in effects {
            switch effect {
            case .send(let envelope): send(envelope)
            case .discardUnsent: unsent.removeAll()
            case .accept(let sink, let job): sink.accepted(job)
            case .finish(let sink, let end): sink.finished(end)
            case .fail(let sink, let error): sink.failed(error)
            case .answer(let promise, let reply): promise.fulfil(.success(reply))
            case .refuse(let promise, let error): promise.fulfil(.failure(error))
            case .close: close()
            }
        }
    }

    private func send(_ envelope: Apus_V1_Envelope) {
        do {
            unsent.append(try EnvelopeCodec.encode(envelope))
        } catch {
            // Requests are validated and credit is split below the limit of a frame, so this is a bug of this client.
            assertionFailure("\(error)")
        }
    }

    private func flush() {
        guard let socketToken, !isClosed else { return }
        let wasEmpty = unsent.isEmpty
        do {
            while let first = unsent.first {
                guard try socket.send(first) == .sent else { break }
                unsent.removeFirst()
            }
        } catch {
            return breakDown(error, now: executor.now)
        }
        if !wasEmpty { executor.setInterest(unsent.isEmpty ? .readable : [.readable, .writable], of: socketToken) }
    }

    /// The socket itself is unusable, which only the end of the process's context does.
    private func breakDown(_ error: ZeroMQError, now: Timestamp) {
        perform(machine.shutDown(now: now))
        close()
    }

    private func close() {
        guard !isClosed else { return }
        isClosed = true
        inbox.close()
        executor.stop()
        closing.open()
    }
}
