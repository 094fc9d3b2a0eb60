import ApusCore
import ApusModel

/// What goes wrong, and how everything becomes whole again.
extension World {
    /// Notes that a fault happened.
    mutating func injected(_ fault: Fault, _ what: String) {
        if let place = Fault.allCases.firstIndex(of: fault) { faultCounts[place] += 1 }
        trace?.note(now, "FAULT          \(fault.rawValue): \(what)")
        checkers.faulted(fault, at: moment)
    }

    /// Notes what no coordinator may do, and what only the world can see.
    mutating func ownViolation(_ message: String) {
        trace?.note(now, "VIOLATION      \(message)")
        guard ownViolations.isEmpty else { return }
        ownViolations.append(Violation(checker: "world", message: message, moment: moment))
    }

    mutating func planFault() {
        let interval = faultRandom.within(0...2 * configuration.faults.meanInterval)
        if now + interval < configuration.faultTime { events.insert(.fault, at: now + interval) }
    }

    mutating func faultDue() {
        defer { planFault() }
        let weights = configuration.faults.weights
        var draw = faultRandom.below(max(1, weights.reduce(0, +)))
        for (place, fault) in Fault.allCases.enumerated() {
            draw -= weights[place]
            if draw < 0 { return inject(fault) }
        }
    }

    private mutating func inject(_ fault: Fault) {
        switch fault {
        case .workerKilled, .workerFrozen, .workerHung, .workerCrawls, .workerLies, .workerRestarted, .workerDoubled,
            .workerDrained, .workerRefuses, .engineFails:
            injectIntoWorker(fault)
        case .connectionLost, .partitioned, .partitionedOneWay, .flapping: injectIntoNetwork(fault)
        case .coordinatorKilled, .coordinatorStalled, .tailLost, .tailTorn: injectIntoCoordinator(fault)
        case .diskFull, .diskReadOnly, .syncFailed, .readsFail: injectIntoDisk(fault)
        case .clientKilled, .clientStalled, .clientCancelled, .clientResubmitted, .clientReattached:
            injectIntoClient(fault)
        case .clientFollowed: injectFollower()
        case .clientRetried: injectRetry()
        case .clockJumped:
            let jump: Int64 = faultRandom.within(-3_600_000_000_000...3_600_000_000_000)
            injected(fault, "by \(jump / 1_000_000) ms")
            wallOffset += jump
        case .poisonedJob: break
        }
    }

    // MARK: - Workers

    private mutating func injectIntoWorker(_ fault: Fault) {
        let worker = faultRandom.below(workers.count)
        guard workers[worker].isRunning else { return }
        let name = workers[worker].spec.name
        switch fault {
        case .workerKilled:
            injected(fault, "\(name)")
            workerDies(worker, restartsAfter: faultRandom.within(20_000_000...1_500_000_000))
        case .workerRestarted:
            injected(fault, "\(name)")
            workerDies(worker, restartsAfter: faultRandom.within(0...5_000_000))
        case .workerFrozen: freeze(worker, for: faultRandom.within(50_000_000...2_000_000_000))
        case .workerHung: hang(worker, for: faultRandom.within(500_000_000...3_000_000_000))
        case .workerCrawls:
            workers[worker].slowness = Int64(10 + faultRandom.below(31))
            injected(fault, "\(name) is \(workers[worker].slowness) times slower")
            let due = now + faultRandom.within(500_000_000...3_000_000_000)
            events.insert(.workerResumes, at: due, place: worker, detail: workers[worker].life)
        case .workerLies:
            injected(fault, "\(name) sends what is not so from now on")
            workers[worker].isLiar = true
        case .workerDoubled:
            guard workers.count < configuration.workers.count + 2 else { return }
            injected(fault, "a second process begins under the name \(name)")
            var intruder = SimulatedWorker(spec: workers[worker].spec)
            intruder.isIntruder = true
            workers.append(intruder)
            workerStarts(workers.count - 1)
        case .workerDrained:
            guard workers[worker].isEnlisted else { return }
            let client = faultRandom.below(clients.count)
            if faultRandom.percent(50), clients[client].connection != nil {
                injected(fault, "\(name), by an operator")
                send(.drain(number: UInt64.max << 20, name), from: client)
            } else {
                injected(fault, "\(name), by its own wish")
                workers[worker].wantsToLeave = true
                send(.leave, from: worker)
            }
        case .workerRefuses: refuse(worker, for: faultRandom.within(100_000_000...2_000_000_000))
        case .engineFails: failEngine(of: worker)
        default: break
        }
    }

    /// The whole process of a worker stands still; what it had it sends when it goes on.
    mutating func freeze(_ worker: Int, for time: Int64) {
        injected(.workerFrozen, "\(workers[worker].spec.name) for \(time / 1_000_000) ms")
        workers[worker].frozenUntil = max(workers[worker].frozenUntil, now + time)
    }

    /// The engine of a worker stands still while it beats.
    mutating func hang(_ worker: Int, for time: Int64) {
        injected(.workerHung, "\(workers[worker].spec.name) for \(time / 1_000_000) ms")
        workers[worker].hungUntil = max(workers[worker].hungUntil, now + time)
    }

    // MARK: - Network

    private mutating func injectIntoNetwork(_ fault: Fault) {
        let host = faultRandom.below(workers.count + clients.count)
        let isWorker = host < workers.count
        let place = isWorker ? host : host - workers.count
        switch fault {
        case .connectionLost:
            if cutHost(host) { injected(fault, isWorker ? "\(workers[place].spec.name)" : "c\(place)") }
        case .flapping:
            if cutHost(host) {
                injected(fault, isWorker ? "\(workers[place].spec.name)" : "c\(place)")
                planFlap(host, left: 2 + faultRandom.below(6))
            }
        default:
            guard partitions.partition(ofWorker: isWorker, place) == nil else { return }
            let isUp = faultRandom.percent(50)
            let isBoth = fault == .partitioned
            injected(fault, isWorker ? "\(workers[place].spec.name)" : "c\(place)")
            partition(
                .init(isWorker: isWorker, host: place, blocksUp: isBoth || isUp, blocksDown: isBoth || !isUp),
                for: faultRandom.within(20_000_000...1_500_000_000)
            )
        }
    }

    private mutating func planFlap(_ host: Int, left: Int) {
        events.insert(.flap, at: now + faultRandom.within(10_000_000...150_000_000), place: host, detail: left)
    }

    /// A connection that flaps is cut once more.
    mutating func flap(_ host: Int, left: Int) {
        guard !isHealed else { return }
        _ = cutHost(host)
        if left > 0 { planFlap(host, left: left - 1) }
    }

    private mutating func cutHost(_ host: Int) -> Bool {
        if host < workers.count {
            guard let connection = workers[host].connection else { return false }
            cutWorker(connection)
        } else {
            guard host - workers.count < clients.count, let connection = clients[host - workers.count].connection
            else { return false }
            cutClient(connection)
        }
        return true
    }

    // MARK: - Coordinator

    private mutating func injectIntoCoordinator(_ fault: Fault) {
        guard coordinator.isRunning, coordinator.doom == nil else { return }
        switch fault {
        case .coordinatorStalled:
            let time: Int64 = faultRandom.within(50_000_000...1_500_000_000)
            injected(fault, "for \(time / 1_000_000) ms")
            coordinator.busyUntil = max(coordinator.busyUntil, now + time)
        case .tailLost: coordinator.doom = .afterAppend(.lost)
        case .tailTorn: coordinator.doom = .afterAppend(.torn)
        default:
            switch faultRandom.below(5) {
            case 0: coordinator.doom = .beforeAppend
            case 1: coordinator.doom = .afterAppend(.kept)
            case 2: coordinator.doom = .afterSync
            case 3: coordinator.doom = .afterSends(faultRandom.below(6))
            default:
                injected(fault, "between two turns")
                coordinatorDies()
            }
        }
    }

    /// The disk refuses batches, or can't be read, for a while.
    private mutating func injectIntoDisk(_ fault: Fault) {
        let time: Int64 = faultRandom.within(20_000_000...2_000_000_000)
        injected(fault, "for \(time / 1_000_000) ms")
        switch fault {
        case .diskFull: disk.refusal = (.full, now + time)
        case .diskReadOnly: disk.refusal = (.readOnly, now + time)
        case .syncFailed: disk.refusal = (.syncFails, now + time)
        default: disk.unreadableUntil = max(disk.unreadableUntil, now + time)
        }
    }

    // MARK: - Clients

    private mutating func injectIntoClient(_ fault: Fault) {
        let client = faultRandom.below(clients.count)
        let job = faultRandom.below(jobs.count)
        let isFollowed = jobs[job].phase == .following
        switch fault {
        case .clientKilled:
            guard clients[client].isRunning else { return }
            injected(fault, "c\(client)")
            clientDies(client, restartsAfter: faultRandom.within(10_000_000...1_000_000_000))
        case .clientStalled: stall(client, for: faultRandom.within(100_000_000...3_000_000_000))
        case .clientCancelled:
            guard isFollowed else { return }
            injected(fault, "job \(job)")
            cancel(job)
        case .clientResubmitted:
            guard jobs[job].isBegun, jobs[job].job != nil || jobs[job].phase == .submitting else { return }
            injected(fault, "job \(job)")
            if jobs[job].job != nil, faultRandom.percent(30), isKeptForGood(job) {
                probeConflict(job)
            } else if isFollowed || jobs[job].phase == .submitting {
                submit(job)
            }
        case .clientReattached:
            guard isFollowed else { return }
            injected(fault, "job \(job)")
            if faultRandom.percent(30), let stream = jobs[job].stream {
                jobs[job].phase = .detached
                send(.detach(streams: [stream.rawValue]), from: configuration.jobs[jobs[job].spec].client)
                events.insert(.submit, at: now + faultRandom.within(1_000_000...800_000_000), place: job)
            } else {
                attach(job, at: faultRandom.below(jobs[job].next + 1))
            }
        default: break
        }
    }

    /// A client grants no credit for a while.
    mutating func stall(_ client: Int, for time: Int64) {
        injected(.clientStalled, "c\(client) grants no credit for \(time / 1_000_000) ms")
        clients[client].stalledUntil = max(clients[client].stalledUntil, now + time)
        events.insert(.clientResumes, at: clients[client].stalledUntil, place: client)
    }

    /// Whether a job stays known once it is accepted, so that its key can't begin another one.
    func isKeptForGood(_ job: Int) -> Bool {
        configuration.jobs[jobs[job].spec].request.durability != .none
            && configuration.journalRetention > .nanoseconds(configuration.faultTime + configuration.settleTime)
    }

    /// Submits another request under the key of a job, which has to be refused.
    private mutating func probeConflict(_ job: Int) {
        var request = configuration.jobs[jobs[job].spec].request
        request.maximumTokens += 1
        let number = jobs[job].nextNumber(of: job)
        send(
            .submit(number: number, key: configuration.jobs[jobs[job].spec].key, request, credit: 1),
            from: configuration.jobs[jobs[job].spec].client
        )
    }

    // MARK: - The end of all faults

    /// Faults are over: whatever is broken is mended, and from now on everything has to come to its end.
    mutating func heal() {
        isHealed = true
        coordinator.doom = nil
        disk.heal()
        trace?.note(now, "HEALED         all faults are over")
        for place in partitions.all.indices { partitionEnds(place) }
        for worker in workers.indices where workers[worker].isRunning {
            workers[worker].frozenUntil = 0
            workers[worker].hungUntil = 0
            workers[worker].slowness = 1
            workers[worker].refusesUntil = 0
            if workers[worker].isLiar || workers[worker].isIntruder {
                workerDies(worker, restartsAfter: 50_000_000)
                continue
            }
            if let connection = workers[worker].connection {
                events.insert(.coordinatorToWorker, at: now, place: connection)
            }
            if workers[worker].isStepping {
                events.insert(.step, at: now + 1_000_000, place: worker, detail: workers[worker].stepSerial)
            }
        }
        for client in clients.indices where clients[client].isRunning {
            clients[client].stalledUntil = 0
            clientResumes(client)
        }
        checkers.healed(at: moment)
    }
}
