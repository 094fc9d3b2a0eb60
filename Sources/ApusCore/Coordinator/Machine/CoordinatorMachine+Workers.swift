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
        guard models.contains(registration.model) || models.count < Limits.workers else {
            let message = "workers have served \(models.count) models already"
            turn.effects.append(.refuseWorker(peer, ApusError(.overloaded, message)))
            return
        }
        if let former = workerPlaces[peer], workers[former].registration.name != registration.name {
            workerUnreachable(peer, at: now, into: &turn)
        }
        let place: Int
        if let known = workerNames[registration.name] {
            let isSameProcess = workers[known].registration.incarnation == registration.incarnation
            if !isSameProcess {
                guard !isAlive(workers[known], at: now) else {
                    let message = "another worker is connected under the name \(registration.name)"
                    turn.effects.append(.refuseWorker(peer, ApusError(.nameTaken, message)))
                    return
                }
                if workers[known].isConnected { lose(known, .replaced, at: now, into: &turn) }
                workers[known].isDraining = false
            }
            workerPlaces[workers[known].peer] = nil
            place = known
            workers[place].isVacant = false
            workers[place].peer = peer
            workers[place].registration = registration
            workers[place].load = WorkerLoad()
            workers[place].progress = 0
        } else {
            guard workerNames.count < Limits.workers else {
                let message = "\(workerNames.count) workers are registered already"
                turn.effects.append(.refuseWorker(peer, ApusError(.overloaded, message)))
                return
            }
            let entry = WorkerEntry(peer: peer, registration: registration, lastBeat: now, progressAt: now)
            if let vacant = vacantWorkers.popLast() {
                place = vacant
                workers[place] = entry
            } else {
                place = workers.count
                workers.append(entry)
            }
            workerNames[registration.name] = place
        }
        workerPlaces[peer] = place
        workers[place].lastBeat = now
        workers[place].progressAt = now
        workers[place].state = .ready
        let keep = held.filter { attempt in
            guard let stream = ledger.place(of: attempt.stream), ledger[stream].worker == place else { return false }
            return ledger[stream].epoch == attempt.epoch && attempt.next >= ledger[stream].next
        }
        let kept = Set(keep.map(\.stream))
        for stream in leased(to: place) where !kept.contains(ledger[stream].id) {
            loseAttempt(stream, cause: LossCause.disconnected.rawValue, at: now, into: &turn)
        }
        turn.effects.append(.enlist(peer, keep: keep))
        models.insert(registration.model)
        // A limit that was on its way over the former connection may be lost.
        for attempt in keep {
            guard let stream = ledger.place(of: attempt.stream) else { continue }
            turn.acknowledge(peer, attempt.stream, through: ledger[stream].next, limit: ledger[stream].workerLimit)
        }
        if workers[place].isDraining { turn.effects.append(.drain(peer)) }
        turn.effects.append(.report(registration.name, .joined))
        bindUnbound(to: registration.model)
        needsDispatch = true
    }

    /// A worker wants to leave in good order: it finishes what it has and gets nothing new.
    public mutating func leaveRequested(by peer: WorkerPeer, at now: Timestamp, into turn: inout Turn) {
        guard let place = heard(from: peer, at: now, into: &turn) else { return }
        drain(place, into: &turn)
    }

    private mutating func drain(_ place: Int, into turn: inout Turn) {
        workers[place].isDraining = true
        turn.effects.append(.drain(workers[place].peer))
        turn.effects.append(.report(workers[place].registration.name, .draining))
    }

    /// A worker said good-bye; what it still holds goes on elsewhere.
    public mutating func left(_ peer: WorkerPeer, at now: Timestamp, into turn: inout Turn) {
        guard let place = workerPlaces.removeValue(forKey: peer) else { return }
        let streams = workers[place].leases
        releaseLeases(of: place, cause: "its worker left", countsAgainstStreams: false, at: now, into: &turn)
        workers[place].state = .gone
        turn.effects.append(.report(workers[place].registration.name, .left(streams: streams)))
    }

    /// A worker's connection is gone.
    public mutating func workerUnreachable(_ peer: WorkerPeer, at now: Timestamp, into turn: inout Turn) {
        guard let place = workerPlaces.removeValue(forKey: peer) else { return }
        lose(place, .disconnected, at: now, into: &turn)
        workers[place].state = .gone
    }

    /// An operator drains a worker, or all of them where no name is given.
    public mutating func drainRequested(
        by peer: ClientPeer,
        number: UInt64,
        worker name: WorkerName?,
        into turn: inout Turn
    ) {
        let places: [Int]
        if let name {
            guard let place = workerNames[name], workers[place].isConnected else {
                turn.effects.append(
                    .refuse(peer, request: number, ApusError(.notFound, "no worker named \(name) is connected"))
                )
                return
            }
            places = [place]
        } else {
            places = workers.indices.filter { workers[$0].isConnected }
        }
        for place in places where !workers[place].isDraining { drain(place, into: &turn) }
        turn.effects.append(.done(peer, request: number))
    }

    /// Notes that something came from a worker, and takes one back that was thought lost.
    ///
    /// - Returns: The worker's place, or `nil` for a peer that has to register first.
    mutating func heard(from peer: WorkerPeer, at now: Timestamp, into turn: inout Turn) -> Int? {
        guard let place = workerPlaces[peer] else {
            turn.effects.append(.refuseWorker(peer, ApusError(.notFound, "register first")))
            return nil
        }
        workers[place].lastBeat = now
        if case .lost(let cause) = workers[place].state, cause != .hung { takeBack(place, at: now, into: &turn) }
        return place
    }

    /// A worker that was thought lost shows life: all its attempts are fenced by now, so it starts empty.
    mutating func takeBack(_ place: Int, at now: Timestamp, into turn: inout Turn) {
        workers[place].state = .ready
        workers[place].progressAt = now
        turn.effects.append(.enlist(workers[place].peer, keep: []))
        turn.effects.append(.report(workers[place].registration.name, .returned))
        needsDispatch = true
    }

    /// Takes a worker's streams away from it.
    mutating func lose(_ place: Int, _ cause: LossCause, at now: Timestamp, into turn: inout Turn) {
        // A silent worker that then disconnects has no streams left; it is reported once.
        if case .lost = workers[place].state { return }
        let streams = workers[place].leases
        workers[place].state = .lost(cause)
        workers[place].failures += UInt64(streams)
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
        for stream in leased(to: place) {
            loseAttempt(stream, cause: cause, countsAgainstStream: countsAgainstStreams, at: now, into: &turn)
        }
    }

    private func isAlive(_ worker: WorkerEntry, at now: Timestamp) -> Bool {
        switch worker.state {
        case .ready: now - worker.lastBeat < settings.beatTimeout
        case .lost, .gone: false
        }
    }

    /// The models of all workers that ever registered, in the order of their names.
    var knownModels: [ModelName] { models.sorted() }

    /// Forgets workers that are gone for long, and the oldest of them where they are many.
    mutating func forgetWorkers(at now: Timestamp, into turn: inout Turn) {
        var gone = workers.indices.filter { workers[$0].state == .gone && !workers[$0].isVacant }
        guard !gone.isEmpty else { return }
        gone.sort { (workers[$0].lastBeat, $0) < (workers[$1].lastBeat, $1) }
        for (place, excess) in zip(gone, (1...gone.count).reversed()) {
            guard excess > settings.goneWorkers || now - workers[place].lastBeat > settings.workerRetention else {
                return
            }
            let name = workers[place].registration.name
            workers[place].isVacant = true
            workerNames[name] = nil
            vacantWorkers.append(place)
            turn.effects.append(.forgetWorker(name))
        }
        models = Set(workers.filter { !$0.isVacant }.map(\.registration.model))
    }
}
