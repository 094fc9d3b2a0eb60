import ApusCore
import ApusJournal
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

    /// Takes up to a budget of clients' messages; while the journal can't be written, questions are answered and whoever wants a
    /// promise is refused.
    func takeClientMessages(at now: Timestamp) throws {
        for _ in 0..<Self.messageBudget {
            switch try clientPort.socket.receiveRouted() {
            case .none: return
            case .malformed: malformed += 1
            case .message(let route, let frame):
                let peer = ClientPeer(rawValue: route.rawValue)
                do throws(ApusError) {
                    let envelope = try decode(frame)
                    if keeper.isWell {
                        try clientSent(envelope, from: peer, at: now)
                    } else {
                        try questionAsked(envelope, by: peer, at: now)
                    }
                } catch {
                    if error.code != .notFound { malformed += 1 }
                    // The turn is held while the journal can't be written; a refusal promises nothing and does not wait for it.
                    if keeper.isWell {
                        turn.effects.append(.refuse(peer, request: 0, error))
                    } else {
                        try perform(.refuse(peer, request: 0, error), at: now)
                    }
                }
            }
        }
    }

    private func questionAsked(
        _ envelope: Apus_V1_Envelope,
        by peer: ClientPeer,
        at now: Timestamp
    ) throws(ApusError) {
        let refusal = keeper.refusal
        switch envelope.body {
        case .statusRequest(let request): try perform(.status(peer, request: request.request), at: now)
        case .jobsRequest(let request): try perform(Self.listing(request, for: peer), at: now)
        case .submit(let submit): try perform(.reject(peer, request: submit.request, refusal), at: now)
        case .attach(let attach): try perform(.reject(peer, request: attach.request, refusal), at: now)
        case .cancel(let cancel): try perform(.refuse(peer, request: cancel.request, refusal), at: now)
        case .retry(let retry): try perform(.refuse(peer, request: retry.request, refusal), at: now)
        case .drain(let drain): try perform(.refuse(peer, request: drain.request, refusal), at: now)
        case .configureWorkers(let configure):
            try perform(.refuse(peer, request: configure.request, refusal), at: now)
        case .hello:
            try clientSent(envelope, from: peer, at: now)
            // Its welcome waits for nothing.
            if turn.effects.last == .welcome(peer) { turn.effects.removeLast() }
            try perform(.welcome(peer), at: now)
        // What changes no promise is taken: credit and detachment work once the turn is done.
        default: try clientSent(envelope, from: peer, at: now)
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
        case .attach(let attach): attached(attach, by: peer, at: now)
        case .retry(let retry): retryRequested(retry, by: peer, at: now)
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
        case .jobsRequest(let request): turn.effects.append(Self.listing(request, for: peer))
        case .ping: break
        case .error(let error):
            logger.debug("a client reports an error", metadata: ["code": "\(error.code)"])
        default:
            throw ApusError(.unsupported, "a client does not send this kind of message")
        }
    }

    /// The answer to a question for jobs.
    private static func listing(_ request: Apus_V1_JobsRequest, for peer: ClientPeer) -> Effect {
        let limit = request.limit == 0 ? 100 : Int(request.limit)
        return request.dead
            ? .deadLetters(peer, request: request.request, limit: limit)
            : .jobs(peer, request: request.request, limit: limit)
    }

    private func submitted(_ submit: Apus_V1_Submit, by peer: ClientPeer, at now: Timestamp) {
        do throws(ApusError) {
            let request = try GenerationRequest(submit.generation)
            try recall(.key(submit.key), at: now)
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

    private func attached(_ attach: Apus_V1_Attach, by peer: ClientPeer, at now: Timestamp) {
        var job: JobID?
        if !attach.job.isEmpty {
            guard let valid = JobID(attach.job) else {
                turn.effects.append(.reject(peer, request: attach.request, Self.notAJob))
                return
            }
            job = valid
        }
        do throws(ApusError) {
            try recall(job.map { .job($0) } ?? .key(attach.key), at: now)
        } catch {
            turn.effects.append(.reject(peer, request: attach.request, error))
            return
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

    /// Finds a job again that ended and that the machine has dropped from its memory since.
    private func recall(_ name: JobReference, at now: Timestamp) throws(ApusError) {
        guard journal.keepsEnded else { return }
        switch name {
        case .job(let job): if machine.knows(job) { return }
        case .key(let key): if machine.knows(key: key) { return }
        }
        guard let kept = try journal.find(name), kept.hasEnded else { return }
        let streams = kept.streams.compactMap { stream in
            stream.end.map { EndedStream(tokens: stream.tokens, end: $0) }
        }
        // By its name an older job may be found whose key another one has taken over.
        var ownsKey = false
        if case .key = name { ownsKey = true }
        machine.recalled(kept.accepted, streams, bulkDigest: kept.bulkDigest, ownsKey: ownsKey, at: now)
    }

    private func retryRequested(_ retry: Apus_V1_Retry, by peer: ClientPeer, at now: Timestamp) {
        do throws(ApusError) {
            guard let job = JobID(retry.job) else { throw Self.notAJob }
            guard let kept = try journal.find(.job(job)) else { throw ApusError(.notFound, "no such job") }
            machine.retryRequested(
                by: peer,
                number: retry.request,
                kept.accepted,
                ends: kept.streams.map(\.end),
                newest: try journal.find(.key(kept.accepted.key))?.accepted.job,
                at: now,
                into: &turn
            )
        } catch {
            turn.effects.append(.refuse(peer, request: retry.request, error))
        }
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
