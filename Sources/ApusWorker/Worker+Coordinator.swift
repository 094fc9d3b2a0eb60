import ApusCore
import ApusEngine
import ApusModel
import ApusProtocol
import Logging
import ZeroMQ

extension Worker {
    func takeMonitorEvents(now: Timestamp) throws(ZeroMQError) {
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

    func receive(now: Timestamp) throws(ZeroMQError) {
        for _ in 0..<Self.messagesPerTurn where !loop.mailbox.isFull {
            switch try socket.receive() {
            case .none:
                return
            case .malformed:
                malformed.note(logger, "message dropped", reason: "more than one frame", now: now)
            case .message(let frame):
                do throws(ApusError) {
                    var envelope = try Self.decode(frame)
                    switch envelope.body {
                    case .history(let part): try histories.take(part)
                    case .assign(let assign):
                        envelope.body = .assign(try histories.complete(assign))
                        handle(try CoordinatorMessage(envelope), now: now)
                    default: handle(try CoordinatorMessage(envelope), now: now)
                    }
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

    func handle(_ message: CoordinatorMessage, now: Timestamp) {
        switch message {
        case .enlisted(let keep):
            guard case .resume(let session) = enlistment.enlisted() else { return }
            loop.mailbox.post(.resume(session: session, keep: keep))
            logger.info("enlisted", metadata: ["kept": "\(keep.count)"])
            // A coordinator that has restarted knows nothing of an earlier word.
            if isDraining { enqueue(.leave(Apus_V1_Leave())) }
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
            isDraining = true
            loop.mailbox.post(.drain)
        case .refused(let error):
            refusals.note(logger, "coordinator refused", reason: error.description, now: now)
            switch error.code {
            // Another try would be answered in the same way.
            case .versionMismatch, .invalidRequest, .unsupported: fail(error, now: now)
            case .notFound: if let effect = enlistment.refused() { perform(effect) }
            default: break
            }
        case .nothing:
            break
        }
    }

    func perform(_ effect: EnlistmentMachine.Effect) {
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

    func register(_ held: [HeldAttempt]) {
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
        register.chatTemplate = description.chatTemplate ?? ""
        register.held = held.map { Apus_V1_Held($0) }
        enqueue(.register(register))
    }

    func beat(now: Timestamp) {
        guard now >= beatDue else { return }
        beatDue = now + configuration.beatInterval
        measureMemory(now: now)
        if sendingTime > .zero {
            loop.mailbox.post(.transferMeasured(sendingTime))
            sendingTime = .zero
        }
        // Behind frames that the socket does not take, a beat says nothing new.
        if enlistment.isEnlisted, outgoing.isEmpty { enqueue(.step(loop.gauge.step)) }
    }

    /// Looks at memory, and lets the engine's thread give up what is short.
    private func measureMemory(now: Timestamp) {
        guard now >= memoryDue else { return }
        memoryDue = now + configuration.memoryInterval
        let report = memory.measure(at: now)
        loop.gauge.show(memoryBytes: report.residentBytes)
        loop.gauge.show(memory: report.level, isRefusing: report.level == .critical)
        loop.mailbox.post(.memory(report.effects, report.level, residentBytes: report.residentBytes))
        // A coordinator that was not there yet says nothing of the network.
        if hasBeenReady,
            let stability = network.measured(
                isConnected: enlistment.isConnected,
                waitingFor: sendingSince.map { now - $0 } ?? .zero
            )
        {
            loop.mailbox.post(.configure(WorkerSettings(networkStability: stability)))
        }
        for case .report(let level) in report.effects {
            let facts: Logger.Metadata = [
                "level": "\(level.rawValue)", "used": "\(report.nearest.usedBytes)",
                "limit": "\(report.nearest.limitBytes ?? 0)",
            ]
            logger.log(level: level == .normal ? .notice : .warning, "memory is \(level.rawValue)", metadata: facts)
        }
    }

    func enqueue(_ body: Apus_V1_Envelope.OneOf_Body) {
        do throws(ApusError) {
            outgoing.append(try EnvelopeCodec.encode(Apus_V1_Envelope(body)))
        } catch {
            // Only a registration with very many held attempts could come near a frame's size; their bound prevents it.
            logger.error("message not sent", metadata: ["error": "\(error)"])
        }
    }

    func send() throws(ZeroMQError) {
        var wanted: PollInterest = loop.mailbox.isFull ? [] : .readable
        while enlistment.isConnected, let bytes = outgoing.first {
            guard try socket.send(bytes) == .sent else {
                wanted.insert(.writable)
                break
            }
            outgoing.removeFirst()
        }
        if outgoing.isEmpty, let since = sendingSince {
            sendingTime += MonotonicClock.now() - since
            sendingSince = nil
        }
        guard wanted != interest, let token else { return }
        interest = wanted
        executor.setInterest(wanted, of: token)
    }
}
