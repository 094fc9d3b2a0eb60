import ApusCore
import ApusModel

/// The workers' side of the protocol, with a cost model in place of an engine.
extension World {
    private static let beatInterval: Int64 = 80_000_000

    /// How long the answer to a registration may take.
    private static let answerTimeout: Int64 = 1_000_000_000

    /// How long a worker that leaves waits for what it still has.
    private static let drainTimeout: Int64 = 2_000_000_000

    mutating func workerStarts(_ worker: Int) {
        guard !workers[worker].isRunning else { return }
        workers[worker].start(incarnation: workerRandom.next())
        trace?.note(now, "\(workers[worker].spec.name)             its process begins")
        events.insert(.workerConnects, at: now, place: worker, detail: workers[worker].life)
    }

    mutating func workerConnects(_ worker: Int, life: Int) {
        guard workers[worker].isRunning, workers[worker].life == life, workers[worker].connection == nil else { return }
        guard canConnect(worker: true, worker), now >= workers[worker].frozenUntil else {
            return planConnect(worker)
        }
        connectWorker(worker)
        register(worker)
        planBeat(worker)
    }

    private mutating func planConnect(_ worker: Int) {
        let due = now + workerRandom.within(5_000_000...80_000_000)
        events.insert(.workerConnects, at: due, place: worker, detail: workers[worker].life)
    }

    private mutating func planBeat(_ worker: Int) {
        workers[worker].beatsBy += 1
        events.insert(.beat, at: now + Self.beatInterval, place: worker, detail: workers[worker].beatsBy)
    }

    mutating func workerNotices(_ connection: Int) {
        let worker = workerConnections[connection].owner
        guard workers[worker].isRunning, workers[worker].connection == connection else { return }
        if now < workers[worker].frozenUntil {
            events.insert(.workerNotices, at: workers[worker].frozenUntil, place: connection)
            return
        }
        workers[worker].connection = nil
        workers[worker].standing = .disconnected
        trace?.note(now, "\(workers[worker].spec.name)             lost the coordinator")
        planConnect(worker)
    }

    private mutating func register(_ worker: Int) {
        workers[worker].standing = .registering(since: now)
        let spec = workers[worker].spec
        let registration = WorkerRegistration(
            name: spec.name,
            incarnation: Incarnation(rawValue: workers[worker].incarnation),
            model: spec.model,
            slots: spec.slots,
            contextTokens: spec.contextTokens,
            fingerprint: spec.fingerprint,
            exactness: spec.exactness,
            engine: "simulated",
            processID: UInt32(workers[worker].life),
            host: "simulated"
        )
        send(.register(registration, held: workers[worker].held), from: worker)
    }

    mutating func beat(_ worker: Int, chain: Int) {
        guard workers[worker].isRunning, workers[worker].connection != nil, workers[worker].beatsBy == chain else {
            return
        }
        if now >= workers[worker].frozenUntil {
            switch workers[worker].standing {
            case .disconnected: break
            case .registering(let since): if now - since >= Self.answerTimeout { register(worker) }
            case .enlisted:
                if let since = workers[worker].drainingSince, now - since >= Self.drainTimeout { return leave(worker) }
                send(.step(Shared(report(of: worker))), from: worker)
            }
        }
        planBeat(worker)
    }

    /// A message about a worker without tokens.
    mutating func report(of worker: Int) -> StepReport {
        // Read field by field: a getter of the worker would copy all of it, with a reference for each name and array.
        var load = WorkerLoad()
        load.active = min(workers[worker].attempts.count, workers[worker].spec.slots)
        load.batchSize = workers[worker].batchSize
        load.batchLimit = workers[worker].spec.slots
        load.stepTime = .nanoseconds(workers[worker].stepTime)
        load.prefilledTokens = workers[worker].prefilled
        load.isRefusing = now < workers[worker].refusesUntil
        var report = StepReport(
            progress: workers[worker].progress,
            isBusy: workers[worker].isStepping,
            load: load
        )
        swap(&report.cachedBlocks, &workers[worker].newBlocks)
        swap(&report.evictedBlocks, &workers[worker].evictedBlocks)
        return report
    }

    // MARK: - What the coordinator sends

    mutating func messagesReachWorker(_ connection: Int) {
        let worker = workerConnections[connection].owner
        guard workers[worker].isRunning, workers[worker].connection == connection else { return }
        let standsUntil = max(workers[worker].frozenUntil, workers[worker].hungUntil)
        if now < standsUntil {
            events.insert(.coordinatorToWorker, at: standsUntil, place: connection)
            return
        }
        while let message = workerConnections[connection].down.receive(at: now) {
            take(message, on: worker)
            guard workers[worker].connection == connection else { return }
        }
        planStep(worker)
    }

    private mutating func take(_ message: WorkerMessage, on worker: Int) {
        switch message {
        case .enlisted(let keep):
            workers[worker].keep(only: keep)
            workers[worker].standing = .enlisted
            if workers[worker].wantsToLeave { send(.leave, from: worker) }
            resend(worker)
        case .refused(let error):
            if error.code == .notFound, workers[worker].isEnlisted { register(worker) }
        case .assign(let stream, let epoch, let request, let history, let limit):
            guard workers[worker].drainingSince == nil else { return }
            guard now >= workers[worker].refusesUntil else {
                return giveBack(stream, epoch, ApusError(.overloaded, "no memory for more"), from: worker)
            }
            start(stream, epoch, request, history: history.count, limit: limit, on: worker)
        case .acknowledge(let streams, let through, let limits):
            for row in streams.indices {
                workers[worker].acknowledge(
                    StreamID(rawValue: streams[row]),
                    through: Int(through[row]),
                    limit: Int(limits[row])
                )
            }
        case .revoke(let streams, let epochs):
            for row in streams.indices {
                workers[worker].revoke(StreamID(rawValue: streams[row]), Epoch(rawValue: epochs[row]))
            }
        case .drain:
            if workers[worker].drainingSince == nil { workers[worker].drainingSince = now }
        }
    }

    private mutating func start(
        _ stream: StreamID,
        _ epoch: Epoch,
        _ request: GenerationRequest,
        history: Int,
        limit: Int,
        on worker: Int
    ) {
        let place = JobSpec.place(of: request)
        let tokens = configuration.jobs[place].promptTokens
        let uncached = workers[worker].uncachedTokens(of: request, tokens: tokens)
        workers[worker].start(
            SimulatedAttempt(
                stream: stream,
                epoch: epoch,
                job: place,
                seed: request.sampling.seed ?? 0,
                unacknowledged: history,
                next: history,
                limit: limit,
                prefill: uncached + history,
                length: configuration.jobs[place].length,
                reason: configuration.jobs[place].reason,
                promptTokens: tokens
            )
        )
    }

    /// Sends every token and end again that is not acknowledged.
    private mutating func resend(_ worker: Int) {
        var report = report(of: worker)
        for attempt in workers[worker].attempts {
            append(attempt, attempt.unacknowledged..<attempt.next, of: worker, to: &report.tokens)
            if attempt.hasEnded { report.ends.append(attempt.end) }
        }
        send(.step(Shared(report)), from: worker)
    }

    // MARK: - Leaving and dying

    /// Says good-bye and ends the process; another one begins after a while.
    mutating func leave(_ worker: Int) {
        send(.bye, from: worker)
        let connection = workers[worker].connection
        processEnds(worker, restartsAfter: workerRandom.within(100_000_000...400_000_000))
        // What was handed to the transport goes out before the connection is closed.
        if let connection { events.insert(.coordinatorNoticesWorker, at: now + 20_000_000, place: connection) }
    }

    /// The process dies without a word; what was on its way may be lost.
    mutating func workerDies(_ worker: Int, restartsAfter time: Int64) {
        guard workers[worker].isRunning else { return }
        if let connection = workers[worker].connection { cutWorker(connection, peerNotices: false) }
        processEnds(worker, restartsAfter: time)
    }

    private mutating func processEnds(_ worker: Int, restartsAfter time: Int64) {
        trace?.note(now, "\(workers[worker].spec.name)             its process ends")
        workers[worker].isRunning = false
        workers[worker].connection = nil
        workers[worker].wantsToLeave = false
        workers[worker].attempts.removeAll(keepingCapacity: true)
        if !workers[worker].isIntruder { events.insert(.workerStarts, at: now + time, place: worker) }
    }

    /// A worker that stood still goes on.
    mutating func workerResumes(_ worker: Int, life: Int) {
        guard workers[worker].isRunning, workers[worker].life == life else { return }
        trace?.note(now, "\(workers[worker].spec.name)             goes on as before")
        workers[worker].slowness = 1
    }
}
