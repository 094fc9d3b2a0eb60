import ApusCore
import ApusModel
import ApusProtocol
import Logging
import ZeroMQ

extension Coordinator {
    /// Takes up to a budget of workers' messages.
    func takeWorkerMessages(at now: Timestamp) throws {
        for _ in 0..<Self.messageBudget {
            switch try workerPort.socket.receiveRouted() {
            case .none: return
            case .malformed: malformed += 1
            case .message(let route, let frame):
                let peer = WorkerPeer(rawValue: route.rawValue)
                do throws(ApusError) {
                    let envelope = try decode(frame)
                    try workerSent(envelope, from: peer, at: now)
                } catch {
                    malformed += 1
                    turn.effects.append(.refuseWorker(peer, error))
                }
            }
        }
    }

    /// Takes up to a budget of clients' messages.
    func takeClientMessages(at now: Timestamp) throws {
        for _ in 0..<Self.messageBudget {
            switch try clientPort.socket.receiveRouted() {
            case .none: return
            case .malformed: malformed += 1
            case .message(let route, let frame):
                let peer = ClientPeer(rawValue: route.rawValue)
                do throws(ApusError) {
                    let envelope = try decode(frame)
                    try clientSent(envelope, from: peer, at: now)
                } catch {
                    if error.code != .notFound { malformed += 1 }
                    turn.effects.append(.refuse(peer, request: 0, error))
                }
            }
        }
    }

    private func decode(_ frame: borrowing Frame) throws(ApusError) -> Apus_V1_Envelope {
        try frame.withBytes { bytes in
            Result { () throws(ApusError) in try EnvelopeCodec.decode(bytes) }
        }.get()
    }

    // MARK: - Workers

    private func workerSent(_ envelope: Apus_V1_Envelope, from peer: WorkerPeer, at now: Timestamp) throws(ApusError) {
        switch envelope.body {
        case .step(let step):
            let tokens = TokenColumns(step.tokens)
            guard tokens.isValid, tokens.epochs.count == tokens.rows else {
                throw ApusError(.protocolViolation, "the step's columns do not agree")
            }
            let name = machine.workerName(of: peer)
            if let name { telemetry.take(step, from: name) }
            let before = machine.counters.tokens
            machine.stepReceived(
                StepReport(
                    progress: step.progress,
                    isBusy: step.busy,
                    load: WorkerLoad(step.load),
                    tokens: tokens,
                    ends: step.ends.map(AttemptEnd.init)
                ),
                from: peer,
                at: now,
                into: &turn
            )
            if let name { telemetry.countTokens(Int(machine.counters.tokens - before), from: name, at: now) }
        case .register(let register):
            let (registration, held) = try WorkerRegistration.read(register)
            machine.registered(registration, held: held, from: peer, at: now, into: &turn)
        case .leave:
            machine.leaveRequested(by: peer, at: now, into: &turn)
        case .bye:
            machine.left(peer, at: now, into: &turn)
        case .ping: break
        case .hello, .submit, .attach, .statusRequest, .jobsRequest:
            throw ApusError(
                .invalidRequest,
                "this endpoint is for workers; clients connect to \(endpoints.clients)"
            )
        case .error(let error):
            logger.warning(
                "a worker reports an error",
                metadata: ["code": "\(error.code)", "message": "\(error.message)"]
            )
        default:
            throw ApusError(.unsupported, "a worker does not send this kind of message")
        }
    }

    // MARK: - Clients

    private func clientSent(_ envelope: Apus_V1_Envelope, from peer: ClientPeer, at now: Timestamp) throws(ApusError) {
        var name: String?
        if case .hello(let hello) = envelope.body {
            guard let valid = WorkerName(hello.client) else {
                throw ApusError(
                    .invalidRequest,
                    "the client's name must have 1 to 64 letters, digits, dots, hyphens or underscores"
                )
            }
            name = valid.text
        }
        // A peer that begins in the middle was given up: it has to learn that nobody sends it tokens any more.
        if !machine.isConnected(peer) {
            switch envelope.body {
            case .credit, .detach:
                throw ApusError(.notFound, "this connection was given up; say hello and attach again")
            default: break
            }
        }
        guard machine.clientJoined(peer, name: name) else {
            throw ApusError(.overloaded, "too many clients are connected", retryAfter: .seconds(1))
        }
        switch envelope.body {
        case .hello: turn.effects.append(.welcome(peer))
        case .submit(let submit): submitted(submit, by: peer, at: now)
        case .attach(let attach): attached(attach, by: peer)
        case .credit(let credit):
            machine.credited(by: peer, streams: credit.streams, limits: credit.limits, into: &turn)
        case .detach(let detach): machine.detached(by: peer, streams: detach.streams, into: &turn)
        case .register:
            throw ApusError(
                .invalidRequest,
                "this endpoint is for clients; workers connect to \(endpoints.workers)"
            )
        case .cancel(let cancel):
            guard let job = JobID(cancel.job) else {
                turn.effects.append(.refuse(peer, request: cancel.request, Self.notAJob))
                return
            }
            machine.cancelRequested(by: peer, number: cancel.request, job: job, at: now, into: &turn)
        case .drain(let drain):
            var worker: WorkerName?
            if !drain.worker.isEmpty {
                guard let valid = WorkerName(drain.worker) else {
                    turn.effects.append(
                        .refuse(peer, request: drain.request, ApusError(.invalidRequest, "that is not a worker's name"))
                    )
                    return
                }
                worker = valid
            }
            machine.drainRequested(by: peer, number: drain.request, worker: worker, into: &turn)
        case .statusRequest(let request): turn.effects.append(.status(peer, request: request.request))
        case .jobsRequest(let request):
            turn.effects.append(
                .jobs(peer, request: request.request, limit: request.limit == 0 ? 100 : Int(request.limit))
            )
        case .ping: break
        case .error(let error):
            logger.debug("a client reports an error", metadata: ["code": "\(error.code)"])
        default:
            throw ApusError(.unsupported, "a client does not send this kind of message")
        }
    }

    private func submitted(_ submit: Apus_V1_Submit, by peer: ClientPeer, at now: Timestamp) {
        do throws(ApusError) {
            let request = try GenerationRequest(submit.generation)
            machine.submitted(
                by: peer,
                number: submit.request,
                key: submit.key,
                request: request,
                credit: Int(clamping: submit.credit),
                at: now,
                into: &turn
            )
        } catch {
            turn.effects.append(.reject(peer, request: submit.request, error))
        }
    }

    private func attached(_ attach: Apus_V1_Attach, by peer: ClientPeer) {
        var job: JobID?
        if !attach.job.isEmpty {
            guard let valid = JobID(attach.job) else {
                turn.effects.append(.reject(peer, request: attach.request, Self.notAJob))
                return
            }
            job = valid
        }
        machine.attached(
            by: peer,
            number: attach.request,
            job: job,
            key: attach.key,
            from: Int(clamping: attach.fromIndex),
            credit: Int(clamping: attach.credit),
            into: &turn
        )
    }

    private static let notAJob = ApusError(
        .invalidRequest,
        "that is not a job's name; it has 13 letters and digits, as `apus jobs` lists them"
    )
}

extension WorkerLoad {
    /// The load that a worker sent.
    init(_ wire: Apus_V1_Load) {
        self.init()
        active = Int(wire.active)
        batchSize = Int(wire.batchSize)
        batchLimit = Int(wire.batchLimit)
        // A worker can't buy itself more patience than a minute.
        stepTime = min(Duration(wireMicroseconds: wire.stepUs), .seconds(60))
        memoryBytes = wire.memoryBytes
    }
}

extension AttemptEnd {
    /// The end that a worker sent.
    init(_ wire: Apus_V1_AttemptEnd) {
        let reason = FinishReason(rawValue: wire.reason)
        var error: ApusError?
        if !wire.errorCode.isEmpty {
            error = ApusError(wireCode: wire.errorCode, wire.errorMessage.printable(Limits.errorMessageCharacters))
        } else if reason == nil {
            error = ApusError(.engineFailure, "the worker ended the stream with '\(wire.reason)'")
        }
        self.init(
            stream: StreamID(rawValue: wire.stream),
            epoch: Epoch(rawValue: wire.epoch),
            reason: reason ?? .failed,
            error: error,
            promptTokens: Int(clamping: wire.promptTokens)
        )
    }
}

extension WorkerRegistration {
    /// Reads and checks a registration.
    static func read(_ wire: Apus_V1_Register) throws(ApusError) -> (WorkerRegistration, [HeldAttempt]) {
        guard let name = WorkerName(wire.name), let model = ModelName(wire.model) else {
            throw ApusError(
                .invalidRequest,
                "a worker's and a model's name must have 1 to 64 letters, digits, dots, hyphens or underscores"
            )
        }
        guard let fingerprint = Fingerprint(bytes: wire.fingerprint) else {
            throw ApusError(.invalidRequest, "a fingerprint must have 16 bytes")
        }
        guard wire.held.count <= 4 * Limits.slots else {
            throw ApusError(.invalidRequest, "a worker can't hold \(wire.held.count) attempts")
        }
        let held = wire.held.map { held in
            HeldAttempt(
                stream: StreamID(rawValue: held.stream),
                epoch: Epoch(rawValue: held.epoch),
                next: Int(clamping: held.nextIndex)
            )
        }
        let registration = WorkerRegistration(
            name: name,
            incarnation: Incarnation(rawValue: wire.incarnation),
            model: model,
            slots: Int(wire.slots),
            contextTokens: Int(clamping: wire.contextTokens),
            fingerprint: fingerprint,
            exactness: ExactnessClass(rawValue: wire.exactness) ?? .consistent,
            engine: wire.engine.printable(Limits.nameBytes),
            processID: wire.pid,
            host: wire.host.printable(Limits.nameBytes)
        )
        return (registration, held)
    }
}

extension String {
    /// The text's beginning without control characters: what a peer says of itself ends on operators' terminals.
    fileprivate func printable(_ count: Int) -> String {
        String(unicodeScalars.prefix(count).map { $0.properties.generalCategory == .control ? " " : Character($0) })
    }
}
