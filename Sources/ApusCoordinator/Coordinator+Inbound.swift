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
            let report = try StepReport(step)
            let name = machine.workerName(of: peer)
            if let name { telemetry.take(step, from: name) }
            let before = machine.counters.tokens
            machine.stepReceived(report, from: peer, at: now, into: &turn)
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
            guard let valid = ClientName(hello.client) else {
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
        case .drain(let drain): drainRequested(drain, by: peer)
        case .configureWorkers(let configure): configureRequested(configure, by: peer)
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
            choice: Int(attach.choice),
            from: Int(clamping: attach.fromIndex),
            credit: Int(clamping: attach.credit),
            into: &turn
        )
    }

    private func drainRequested(_ drain: Apus_V1_Drain, by peer: ClientPeer) {
        do throws(ApusError) {
            let worker = try Self.workerName(drain.worker)
            machine.drainRequested(by: peer, number: drain.request, worker: worker, into: &turn)
        } catch {
            turn.effects.append(.refuse(peer, request: drain.request, error))
        }
    }

    private func configureRequested(_ configure: Apus_V1_ConfigureWorkers, by peer: ClientPeer) {
        do throws(ApusError) {
            machine.configureRequested(
                by: peer,
                number: configure.request,
                worker: try Self.workerName(configure.worker),
                settings: try WorkerSettings(configure.settings),
                into: &turn
            )
        } catch {
            turn.effects.append(.refuse(peer, request: configure.request, error))
        }
    }

    /// The worker that an operator names; `nil` for an empty name, which means all of them.
    private static func workerName(_ name: String) throws(ApusError) -> WorkerName? {
        guard !name.isEmpty else { return nil }
        guard let valid = WorkerName(name) else { throw ApusError(.invalidRequest, "that is not a worker's name") }
        return valid
    }

    private static let notAJob = ApusError(
        .invalidRequest,
        "that is not a job's name; it has 13 letters and digits, as `apus jobs` lists them"
    )
}
