import ApusEngine
import ApusModel
import ApusProtocol
import Logging
import ZeroMQ

extension Worker {
    func takeFromEngine(now: Timestamp) {
        // While the socket takes nothing, frames stay in the outbox, whose bound pauses the engine.
        let (events, frames, wasFull) = loop.outbox.take(frames: outgoing.isEmpty)
        for event in events { handle(event, now: now) }
        for frame in frames where frame.session == enlistment.session { outgoing.append(frame.bytes) }
        if !frames.isEmpty, sendingSince == nil { sendingSince = now }
        if wasFull { loop.mailbox.nudge() }
    }

    func handle(_ event: Outbox.Event, now: Timestamp) {
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

    func connect(now: Timestamp) {
        guard case .running = phase else { return }
        do throws(ZeroMQError) {
            try socket.connect(configuration.coordinator)
        } catch {
            fail(ApusError(.invalidRequest, "\(error)"), now: now)
        }
    }
}

extension Worker {
    /// Tells the coordinator that the worker wants to leave; it answers by draining it.
    ///
    /// Without a coordinator nobody waits for tokens here: the streams go on elsewhere.
    func beginDraining(now: Timestamp) {
        guard case .running = phase else { return }
        guard enlistment.isEnlisted else { return leave(now: now) }
        logger.info("finishing what runs, then leaving")
        isDraining = true
        enqueue(.leave(Apus_V1_Leave()))
        phase = .draining(until: now + configuration.drainTimeout)
    }

    /// Says Bye and leaves as soon as it is out and the engine's thread has ended.
    func leave(now: Timestamp) {
        switch phase {
        case .running, .draining: break
        case .leaving, .finished: return
        }
        if enlistment.isEnlisted { enqueue(.bye(Apus_V1_Bye())) }
        phase = .leaving(earliest: now + Self.farewell, latest: now + Self.engineFarewell)
        loop.mailbox.post(.stop)
    }

    /// Leaves with an error, without a word to the coordinator: it notices the closed connection.
    func fail(_ error: ApusError, now: Timestamp) {
        switch phase {
        case .running, .draining: break
        case .leaving, .finished: return
        }
        outcome = .failure(error)
        phase = .leaving(earliest: now, latest: now + Self.engineFarewell)
        loop.mailbox.post(.stop)
    }

    /// Finishes when it is time, and says when the next turn is due.
    func advance(now: Timestamp) -> Timestamp? {
        switch phase {
        case .running:
            return min(beatDue, enlistment.deadline ?? .distantFuture)
        case .draining(let until):
            if now >= until {
                leave(now: now)
                return now
            }
            return min(beatDue, enlistment.deadline ?? .distantFuture, until)
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
