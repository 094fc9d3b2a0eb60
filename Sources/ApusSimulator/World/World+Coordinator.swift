import ApusCore
import ApusModel

/// The coordinator's process, as `ApusCoordinator` drives the same machine in production.
extension World {
    /// Lets the coordinator take a turn at a moment, or as soon as it may after it.
    mutating func planTurn(at time: Int64) {
        let due = max(time, coordinator.busyUntil)
        guard coordinator.isRunning, due < coordinator.wakesAt else { return }
        coordinator.wakesAt = due
        events.insert(.turn, at: due)
    }

    mutating func turnDue() {
        guard coordinator.isRunning, coordinator.wakesAt == now else { return }
        coordinator.wakesAt = .max
        guard now >= coordinator.busyUntil else { return planTurn(at: coordinator.busyUntil) }
        guard coordinator.keeper.isWell else { return turnWithoutJournal() }
        let moment = machineMoment
        probe?.machineBegins()
        if planted?.beginsTurns ?? true { coordinator.machine.turnBegan(at: moment) }
        probe?.machineEnds()
        tellLosses()
        takeWorkerMessages()
        takeClientMessages()
        if moment >= coordinator.machine.nextTick, planted?.looksAtTime ?? true {
            probe?.machineBegins()
            coordinator.machine.ticked(at: moment, into: &coordinator.turn)
            forgetExpired()
            probe?.machineEnds()
        }
        let records = coordinator.turn.records.count
        probe?.dispatchBegins(on: coordinator.machine)
        coordinator.machine.turnEnded(at: moment, into: &coordinator.turn)
        probe?.dispatchEnds(coordinator.turn, from: records, on: coordinator.machine)
        performTurn()
        guard coordinator.isRunning else { return }
        coordinator.busyUntil = max(
            coordinator.busyUntil,
            now + coordinatorRandom.within(configuration.turnTime)
        )
        if let retryAt = coordinator.keeper.retryAt { return planTurn(at: retryAt) }
        let isWaitedFor =
            !coordinator.workerInbox.isEmpty || !coordinator.clientInbox.isEmpty || !coordinator.turn.isEmpty
            || coordinator.machine.hasWork || !coordinator.lostWorkers.isEmpty || !coordinator.lostClients.isEmpty
        planTurn(at: isWaitedFor ? now : coordinator.machine.nextTick.nanoseconds)
    }

    /// The present moment as the machine is told it: that of the steady clock, whatever the wall clock says.
    ///
    /// In line, as other short methods of the world: for a call that changes nothing the compiler would copy the whole world.
    @inline(__always)
    var machineMoment: Timestamp { planted?.moment(moment, wallOffset: wallOffset) ?? moment }

    // MARK: - Facts

    mutating func tellLosses() {
        probe?.machineBegins()
        defer { probe?.machineEnds() }
        for connection in coordinator.lostWorkers {
            let peer = WorkerPeer(rawValue: UInt64(connection))
            if planted?.forgivesLosses ?? false {
                coordinator.machine.left(peer, at: machineMoment, into: &coordinator.turn)
            } else {
                coordinator.machine.workerUnreachable(peer, at: machineMoment, into: &coordinator.turn)
            }
        }
        for connection in coordinator.lostClients {
            let peer = ClientPeer(rawValue: UInt64(connection))
            checkers.lossTold(of: peer, at: moment)
            coordinator.machine.clientLost(peer, into: &coordinator.turn)
        }
        coordinator.lostWorkers.removeAll(keepingCapacity: true)
        coordinator.lostClients.removeAll(keepingCapacity: true)
    }

    private mutating func takeWorkerMessages() {
        for _ in 0..<SimulatedCoordinator.messageBudget {
            guard let (connection, report) = coordinator.workerInbox.popFirst() else { return }
            let peer = WorkerPeer(rawValue: UInt64(connection))
            checkers.reportTold(report, from: peer, at: moment)
            guard planted != nil else {
                tell(report, from: peer)
                continue
            }
            for (report, peer) in planted?.told(report, from: peer) ?? [] { tell(report, from: peer) }
        }
    }

    private mutating func tell(_ report: WorkerReport, from peer: WorkerPeer) {
        probe?.messageBegins()
        defer { probe?.machineEnds() }
        switch report {
        case .step(let step):
            guard step.value.tokens.isValid, step.value.tokens.epochs.count == step.value.tokens.rows else {
                let error = ApusError(.protocolViolation, "the step's columns do not agree")
                coordinator.turn.effects.append(.refuseWorker(peer, error))
                return
            }
            coordinator.machine.stepReceived(step.value, from: peer, at: machineMoment, into: &coordinator.turn)
        case .register(let registration, let held):
            coordinator.machine.registered(
                registration,
                held: held,
                from: peer,
                at: machineMoment,
                into: &coordinator.turn
            )
        case .leave: coordinator.machine.leaveRequested(by: peer, at: machineMoment, into: &coordinator.turn)
        case .bye: coordinator.machine.left(peer, at: machineMoment, into: &coordinator.turn)
        }
    }

    private mutating func takeClientMessages() {
        for _ in 0..<SimulatedCoordinator.messageBudget {
            guard let (connection, request) = coordinator.clientInbox.popFirst() else { return }
            let peer = ClientPeer(rawValue: UInt64(connection))
            checkers.requestTold(request, from: peer, at: moment)
            if let number = planted?.ignores(request) {
                coordinator.turn.effects.append(.done(peer, request: number))
            } else if planted == nil {
                tell(request, from: peer)
            } else if let request = planted?.told(request) {
                tell(request, from: peer)
            }
        }
    }

    mutating func tell(_ request: ClientRequest, from peer: ClientPeer) {
        probe?.messageBegins()
        defer { probe?.machineEnds() }
        var name: String?
        if case .hello(let given) = request { name = given }
        if let other = planted?.name(for: request) { name = other }
        if !coordinator.machine.isConnected(peer) {
            switch request {
            case .credit, .detach:
                coordinator.turn.effects.append(.refuse(peer, request: 0, Self.givenUp))
                return
            default: break
            }
        }
        guard coordinator.machine.clientJoined(peer, name: name) else {
            let error = ApusError(.overloaded, "too many clients are connected", retryAfter: .seconds(1))
            coordinator.turn.effects.append(.refuse(peer, request: 0, error))
            return
        }
        switch request {
        case .hello: coordinator.turn.effects.append(.welcome(peer))
        case .submit(let number, let key, let generation, let credit):
            runScripted(told: JobSpec.place(of: generation))
            guard recall(nil, key: key) else {
                coordinator.turn.effects.append(.reject(peer, request: number, SimulatedKeeper.refusal))
                return
            }
            coordinator.machine.submitted(
                by: peer,
                number: number,
                key: key,
                request: generation,
                credit: credit,
                at: machineMoment,
                into: &coordinator.turn
            )
        case .attach(let number, let job, let key, let choice, let from, let credit):
            guard recall(job, key: key) else {
                coordinator.turn.effects.append(.reject(peer, request: number, SimulatedKeeper.refusal))
                return
            }
            coordinator.machine.attached(
                by: peer,
                number: number,
                job: job,
                key: key,
                choice: choice,
                from: from,
                credit: credit,
                into: &coordinator.turn
            )
        case .credit(let streams, let limits):
            coordinator.machine.credited(by: peer, streams: streams, limits: limits, into: &coordinator.turn)
        case .detach(let streams): coordinator.machine.detached(by: peer, streams: streams, into: &coordinator.turn)
        case .cancel(let number, let job):
            coordinator.machine.cancelRequested(
                by: peer,
                number: number,
                job: job,
                at: machineMoment,
                into: &coordinator.turn
            )
        case .drain(let number, let worker):
            coordinator.machine.drainRequested(by: peer, number: number, worker: worker, into: &coordinator.turn)
        case .retry(let number, let job): retryRequested(job, number: number, by: peer)
        }
    }

    // MARK: - Life and death

    /// The coordinator's process is gone, and everything that was only in its memory.
    ///
    /// - Parameter tail: What becomes of a batch that was written and not synced; `nil` where there is none, or where the disk had
    ///   refused it: then nobody knows.
    mutating func coordinatorDies(_ tail: SimulatedCoordinator.Tail? = nil) {
        var tail = tail ?? .lost
        if let refused = disk.uncertain, coordinatorRandom.percent(50) {
            trace?.note(now, "disk           the refused batch is there all the same")
            checkers.committed(tokens: refused.tokens, records: refused.records, at: moment)
            tail = .kept
        }
        planted?.remembers(disk.batches)
        let loss = disk.crash(tail)
        coordinator.isRunning = false
        coordinator.isDying = true
        coordinator.doom = nil
        coordinator.wakesAt = .max
        coordinator.workerInbox.removeAll()
        coordinator.clientInbox.removeAll()
        coordinator.lostWorkers.removeAll()
        coordinator.lostClients.removeAll()
        coordinator.turn.reset()
        coordinator.replay.removeAll()
        coordinator.replayConnection = nil
        coordinator.keeper = SimulatedKeeper()
        coordinator.unread.removeAll()
        checkers.coordinatorDied(at: moment)
        if !loss.isEmpty { checkers.lost(loss, at: moment) }
        trace?.note(now, "the coordinator is dead")
        for worker in workers.indices {
            if let connection = workers[worker].connection { cutWorker(connection, coordinatorNotices: false) }
        }
        for client in clients.indices {
            if let connection = clients[client].connection { cutClient(connection, coordinatorNotices: false) }
        }
        events.insert(.coordinatorStarts, at: now + coordinatorRandom.within(50_000_000...1_000_000_000))
    }

    /// A new process begins with what the disk holds.
    mutating func coordinatorStarts() {
        guard !coordinator.isRunning else { return }
        coordinator.life += 1
        coordinator.isRunning = true
        coordinator.isDying = false
        coordinator.busyUntil = now
        coordinator.machine = CoordinatorMachine(settings: configuration.settings)
        coordinator.expiryDue = 0
        if planted?.bug != .tornTailTaken { disk.open() }
        let journal = disk.recoverable(withEnded: !configuration.settings.recallsEnded)
        for batch in planted?.replayed(journal, at: moment) ?? journal {
            for place in batch.tokens.indices { coordinator.machine.replayed(batch.tokens[place]) }
            for record in batch.records { coordinator.machine.replayed(record) }
        }
        if planted?.bug != .numbersReused { coordinator.machine.numbersUsed(through: disk.numbersUsed) }
        coordinator.machine.recovered(at: moment)
        checkers.coordinatorRecovered(coordinator.machine, from: journal, at: moment)
        trace?.note(now, "a new coordinator has replayed \(journal.count) batches")
        planTurn(at: now)
    }
}
