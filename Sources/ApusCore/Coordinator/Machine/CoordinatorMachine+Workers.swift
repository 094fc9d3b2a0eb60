public import ApusModel

extension CoordinatorMachine {
    /// A worker registered.
    ///
    /// Attempts that it holds and that are still its own go on; it is told to drop the others. A registration under the name of
    /// another living process is refused, so that two workers never take turns under one name; a dead one's name is free as
    /// soon as its loss is known.
    public mutating func registered(
        _ registration: WorkerRegistration,
        held: [HeldAttempt],
        from peer: WorkerPeer,
        at now: Timestamp,
        into turn: inout Turn
    ) {
        guard registration.slots > 0, registration.slots <= Limits.slots else {
            counters.violations += 1
            let message = "a worker must have 1 to \(Limits.slots) slots, not \(registration.slots)"
            turn.effects.append(.refuseWorker(peer, ApusError(.invalidRequest, message)))
            return
        }
        guard let model = modelPlace(of: registration.model) else {
            let message = "workers have served \(models.count) models already"
            turn.effects.append(.refuseWorker(peer, ApusError(.overloaded, message)))
            return
        }
        if let former = workerPlaces[peer], workers[former].registration.name != registration.name {
            workerUnreachable(peer, at: now, into: &turn)
        }
        let isFirst = models[model].workers == 0
        guard let place = seat(registration, model: model, on: peer, at: now, into: &turn) else { return }
        workerPlaces[peer] = place
        watches[place] = WorkerWatch(lastBeat: now, progressAt: now)
        workers[place].state = .ready
        workers[place].isSlow = costs[place].pace.isSlow
        costs[place].slots = registration.slots
        models[model].prefixes.removeAll(for: place)
        adopt(held, by: place, at: now, into: &turn)
        takeUpAgain(held, on: place, at: now)
        var keep: [HeldAttempt] = []
        var kept: Set<StreamID> = []
        for attempt in held where keep.count < registration.slots && isCurrent(attempt, on: place) {
            if kept.insert(attempt.stream).inserted { keep.append(attempt) }
        }
        for stream in leased(to: place) where !kept.contains(ledger[stream].id) {
            loseAttempt(stream, cause: LossCause.disconnected.rawValue, at: now, into: &turn)
        }
        for stream in workers[place].hedges { dropHedge(stream, into: &turn) }
        turn.effects.append(.enlist(peer, keep: keep))
        if let settings = workers[place].settings { turn.effects.append(.configure(peer, settings)) }
        // A limit that was on its way over the former connection may be lost; one from before a consumer came may be too high.
        for attempt in keep {
            guard let stream = ledger.place(of: attempt.stream) else { continue }
            let limit = workerLimit(at: stream)
            ledger[stream].workerLimit = limit
            if ledger[stream].next < limit { ledger[stream].pausedSince = nil } else { paused(stream, at: now) }
            turn.acknowledge(peer, attempt.stream, through: ledger[stream].next, limit: limit)
        }
        if workers[place].isDraining { turn.effects.append(.drain(peer)) }
        turn.effects.append(.report(registration.name, .joined))
        refreshStanding(of: place, at: now)
        if isFirst { bindUnbound(to: model) }
        needsDispatch = true
    }

    /// Whether an attempt that a worker holds is the one whose tokens count, and can go on as it began.
    private func isCurrent(_ attempt: HeldAttempt, on worker: Int) -> Bool {
        guard isLeased(attempt, to: worker), let stream = ledger.place(of: attempt.stream),
            ledger[stream].model == workers[worker].model,
            ledger[stream].leaseFingerprint == workers[worker].registration.fingerprint
        else { return false }
        return attempt.next >= ledger[stream].next
    }

    /// Whether an attempt is the one of its stream whose tokens count, and runs on a worker.
    func isLeased(_ attempt: HeldAttempt, to worker: Int?) -> Bool {
        guard let worker, let stream = ledger.place(of: attempt.stream) else { return false }
        return ledger[stream].worker == worker && ledger[stream].accepting == attempt.epoch
    }

    /// Finds a place for a worker that registers: its former one, or a new one.
    ///
    /// - Returns: Its place, or `nil` where it is refused.
    private mutating func seat(
        _ registration: WorkerRegistration,
        model: Int,
        on peer: WorkerPeer,
        at now: Timestamp,
        into turn: inout Turn
    ) -> Int? {
        guard let known = workerNames[registration.name] else {
            guard workerNames.count < Limits.workers else {
                let message = "\(workerNames.count) workers are registered already"
                turn.effects.append(.refuseWorker(peer, ApusError(.overloaded, message)))
                return nil
            }
            let entry = WorkerEntry(peer: peer, registration: registration, model: model)
            models[model].workers += 1
            let place = vacantWorkers.popLast() ?? workers.count
            if place == workers.count {
                workers.append(entry)
                watches.append(WorkerWatch(lastBeat: now, progressAt: now))
                costs.append(WorkerCost(name: registration.name, slots: registration.slots))
            } else {
                workers[place] = entry
                costs[place] = WorkerCost(name: registration.name, slots: registration.slots)
            }
            workerNames[registration.name] = place
            return place
        }
        if workers[known].registration.incarnation != registration.incarnation {
            guard !isAlive(known, at: now) else {
                let message = "another worker is connected under the name \(registration.name)"
                turn.effects.append(.refuseWorker(peer, ApusError(.nameTaken, message)))
                return nil
            }
            if workers[known].isConnected { lose(known, .replaced, at: now, into: &turn) }
            workers[known].isDraining = false
            workers[known].probation = Probation()
            costs[known].pace = WorkerPace()
        }
        // The connection that it left may have registered another name since.
        if workerPlaces[workers[known].peer] == known { workerPlaces[workers[known].peer] = nil }
        if workers[known].model != model {
            leavePool(known)
            models[workers[known].model].workers -= 1
            models[model].workers += 1
            workers[known].model = model
        }
        workers[known].peer = peer
        workers[known].registration = registration
        workers[known].load = WorkerLoad()
        workers[known].isRefusing = false
        workers[known].progress = 0
        return known
    }

    /// A worker wants to leave in good order: it finishes what it has and gets nothing new.
    public mutating func leaveRequested(by peer: WorkerPeer, at now: Timestamp, into turn: inout Turn) {
        guard let place = heard(from: peer, at: now, into: &turn) else { return }
        drain(place, into: &turn)
    }

    mutating func drain(_ place: Int, into turn: inout Turn) {
        workers[place].isDraining = true
        refreshStanding(of: place)
        turn.effects.append(.drain(workers[place].peer))
        turn.effects.append(.report(workers[place].registration.name, .draining))
    }

    /// A worker said good-bye; what it still holds goes on elsewhere.
    public mutating func left(_ peer: WorkerPeer, at now: Timestamp, into turn: inout Turn) {
        guard let place = workerPlaces.removeValue(forKey: peer) else { return }
        let streams = costs[place].leases
        releaseLeases(of: place, cause: "its worker left", countsAgainstStreams: false, at: now, into: &turn)
        goneAway(place, at: now)
        turn.effects.append(.report(workers[place].registration.name, .left(streams: streams)))
    }

    /// A worker's connection is gone.
    public mutating func workerUnreachable(_ peer: WorkerPeer, at now: Timestamp, into turn: inout Turn) {
        guard let place = workerPlaces.removeValue(forKey: peer) else { return }
        lose(place, .disconnected, at: now, into: &turn)
        goneAway(place, at: now)
    }

    /// Notes that something came from a worker, and takes one back that was thought lost.
    ///
    /// - Returns: The worker's place, or `nil` for a peer that has to register first.
    mutating func heard(from peer: WorkerPeer, at now: Timestamp, into turn: inout Turn) -> Int? {
        guard let place = workerPlaces[peer] else {
            turn.effects.append(.refuseWorker(peer, ApusError(.notFound, "register first")))
            return nil
        }
        watches[place].lastBeat = now
        if case .lost(let cause) = workers[place].state, cause != .hung { takeBack(place, at: now, into: &turn) }
        return place
    }

    /// A worker that was thought lost shows life: all its attempts are fenced by now, so it starts empty.
    mutating func takeBack(_ place: Int, at now: Timestamp, into turn: inout Turn) {
        workers[place].state = .ready
        watches[place].isWatched = true
        watches[place].progressAt = now
        refreshStanding(of: place, at: now)
        turn.effects.append(.enlist(workers[place].peer, keep: []))
        turn.effects.append(.report(workers[place].registration.name, .returned))
        needsDispatch = true
    }

    /// Takes a worker's streams away from it.
    mutating func lose(_ place: Int, _ cause: LossCause, at now: Timestamp, into turn: inout Turn) {
        // A silent worker that then disconnects has no streams left; it is reported once.
        if case .lost = workers[place].state { return }
        let streams = costs[place].leases
        workers[place].state = .lost(cause)
        watches[place].isWatched = false
        workers[place].failures += UInt64(streams)
        switch cause {
        case .silent: workers[place].probation.struck(.silent, at: now)
        case .hung: workers[place].probation.struck(.hung, at: now)
        case .disconnected: workers[place].probation.struck(.flapped, at: now)
        case .replaced: break
        }
        refreshStanding(of: place, at: now)
        releaseLeases(of: place, cause: cause.rawValue, at: now, into: &turn)
        turn.effects.append(.report(workers[place].registration.name, .lost(cause, streams: streams)))
    }

    private mutating func releaseLeases(
        of place: Int,
        cause: String,
        countsAgainstStreams: Bool = true,
        at now: Timestamp,
        into turn: inout Turn
    ) {
        for stream in workers[place].hedges {
            hedgeLost(stream, cause: cause, countsAgainstStream: countsAgainstStreams, at: now, into: &turn)
        }
        for stream in leased(to: place) {
            loseAttempt(stream, cause: cause, countsAgainstStream: countsAgainstStreams, at: now, into: &turn)
        }
    }

    private func isAlive(_ place: Int, at now: Timestamp) -> Bool {
        switch workers[place].state {
        case .ready: now - watches[place].lastBeat < settings.beatTimeout
        case .lost, .gone: false
        }
    }

    /// A worker is not connected any more; it is still shown for a while.
    private mutating func goneAway(_ place: Int, at now: Timestamp) {
        workers[place].state = .gone
        watches[place].isWatched = false
        watches[place].lastBeat = now
        leavePool(place)
        gone.append(GoneWorker(place: place, since: now))
    }

    /// Forgets workers that are gone for long, and the oldest of them where they are many.
    mutating func forgetWorkers(at now: Timestamp, into turn: inout Turn) {
        while let first = gone.first {
            let isStill =
                workers[first.place].state == .gone && !workers[first.place].isVacant
                && watches[first.place].lastBeat == first.since
            guard isStill else {
                gone.removeFirst()
                continue
            }
            guard gone.count > settings.goneWorkers || now - first.since > settings.workerRetention else { return }
            gone.removeFirst()
            let name = workers[first.place].registration.name
            workers[first.place].isVacant = true
            models[workers[first.place].model].workers -= 1
            workerNames[name] = nil
            vacantWorkers.append(first.place)
            turn.effects.append(.forgetWorker(name))
        }
    }
}
