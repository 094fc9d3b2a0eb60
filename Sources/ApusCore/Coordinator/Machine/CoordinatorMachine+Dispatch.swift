import ApusModel

extension CoordinatorMachine {
    /// Puts a stream that waits for a slot into the queue of its model.
    mutating func enqueue(_ place: Int, isFailover: Bool) {
        counters.queued += 1
        let stream = ledger[place].id
        guard let model = ledger[place].model, models.contains(model) else {
            unbound.append(stream)
            if unbound.count > 2 * counters.queued + 64 { unbound = unbound.filter(isQueued) }
            return
        }
        queues[queuePlace(of: model)].append(stream, isFailover: isFailover)
        needsDispatch = true
    }

    /// Whether a stream is kept and waits for a slot.
    private func isQueued(_ stream: StreamID) -> Bool {
        ledger.place(of: stream).map { ledger[$0].isQueued } ?? false
    }

    /// Queues the streams that waited for this model to come, or for any.
    mutating func bindUnbound(to model: ModelName) {
        let waiting = unbound
        unbound.removeAll()
        let queue = queuePlace(of: model)
        for stream in waiting {
            guard let place = ledger.place(of: stream), ledger[place].isQueued else { continue }
            guard ledger[place].model == nil || ledger[place].model == model else {
                unbound.append(stream)
                continue
            }
            ledger[place].model = model
            queues[queue].append(stream, isFailover: false)
        }
    }

    /// Leases vacant slots to waiting streams, as long as there are both.
    mutating func dispatch(at now: Timestamp, into turn: inout Turn) {
        for queue in queues.indices {
            while let stream = queues[queue].first {
                guard let place = ledger.place(of: stream), ledger[place].isQueued else {
                    queues[queue].removeFirst()
                    continue
                }
                guard
                    let worker = Placement.choose(
                        among: workers,
                        model: queues[queue].model,
                        contextTokens: contextTokens(of: place, model: queues[queue].model),
                        preferring: ledger[place].fingerprint
                    )
                else { break }
                queues[queue].removeFirst()
                lease(place, to: worker, at: now, into: &turn)
            }
            if queues[queue].count > 2 * counters.queued + 64 {
                queues[queue].compact(keeping: isQueued)
            }
        }
    }

    private mutating func lease(_ place: Int, to worker: Int, at now: Timestamp, into turn: inout Turn) {
        let registration = workers[worker].registration
        let epoch = ledger[place].epoch.next
        if epoch > Epoch.none.next {
            let continuity = continuity(of: place, on: registration)
            ledger[place].continuity = max(ledger[place].continuity, continuity)
        }
        ledger[place].epoch = epoch
        ledger[place].leaseFingerprint = registration.fingerprint
        ledger[place].contextTokens = max(ledger[place].contextTokens, registration.contextTokens)
        ledger[place].worker = worker
        ledger[place].attemptStart = ledger[place].next
        ledger[place].workerLimit = workerLimit(at: place)
        ledger[place].previousLease = nil
        ledger[place].nextLease = workers[worker].firstLease
        if let head = workers[worker].firstLease { ledger[head].previousLease = place }
        workers[worker].firstLease = place
        workers[worker].leases += 1
        counters.queued -= 1
        counters.active += 1
        if ledger[place].dispatchedAt == nil {
            ledger[place].dispatchedAt = now
            turn.queueWaits.append(MeasuredTime(worker: registration.name, time: now - ledger[place].acceptedAt))
        }
        turn.records.append(
            .leased(
                LeaseRecord(
                    stream: ledger[place].id,
                    epoch: epoch,
                    worker: registration.name,
                    model: registration.model,
                    fingerprint: registration.fingerprint,
                    exactness: registration.exactness,
                    contextTokens: registration.contextTokens,
                    losses: ledger[place].barren,
                    isHedge: false,
                    leasedAt: now
                )
            )
        )
        turn.effects.append(
            .assign(
                workers[worker].peer,
                ledger[place].id,
                epoch,
                ledger[place].request,
                next: ledger[place].next,
                limit: ledger[place].workerLimit
            )
        )
    }

    private func continuity(of place: Int, on registration: WorkerRegistration) -> Continuity {
        if ledger[place].next == 0 { return .restart }
        let isEqual =
            ledger[place].fingerprint == registration.fingerprint && registration.exactness == .exact
            && ledger[place].contextTokens <= registration.contextTokens
        return isEqual ? .exact : .consistent
    }

    /// The context that the next worker of a stream must have.
    ///
    /// Where no connected worker has as much as the stream began with, the largest there is has to do; the continuation is then
    /// not exact.
    private func contextTokens(of place: Int, model: ModelName) -> Int {
        let wanted = ledger[place].contextTokens
        guard wanted > 0, let largest = largestContext(of: model) else { return 0 }
        return min(wanted, largest)
    }

    /// The largest context of the connected workers that serve a model.
    func largestContext(of model: ModelName) -> Int? {
        workers.filter { $0.isConnected && $0.registration.model == model }.map(\.registration.contextTokens).max()
    }

    /// Takes a stream off its worker's list.
    private mutating func unlease(_ place: Int, from worker: Int) {
        let (previous, next) = (ledger[place].previousLease, ledger[place].nextLease)
        if let previous { ledger[previous].nextLease = next } else { workers[worker].firstLease = next }
        if let next { ledger[next].previousLease = previous }
        ledger[place].previousLease = nil
        ledger[place].nextLease = nil
        ledger[place].worker = nil
        workers[worker].leases -= 1
        counters.active -= 1
        needsDispatch = true
    }

    /// The places of the streams that are leased to a worker, oldest stream first.
    func leased(to worker: Int) -> [Int] {
        var places: [Int] = []
        var place = workers[worker].firstLease
        while let present = place {
            places.append(present)
            place = ledger[present].nextLease
        }
        return places.sorted { ledger[$0].id < ledger[$1].id }
    }

    /// An attempt is over without an end of its stream: the stream goes on elsewhere, unless it seems to kill its workers.
    ///
    /// Attempts count against a stream only while they bring no token: a job that makes its workers die does so at the same index
    /// each time, whereas a stream that goes on between losses is a victim.
    /// An attempt that its worker gave back in good order does not count at all.
    mutating func loseAttempt(
        _ place: Int,
        cause: String,
        countsAgainstStream: Bool = true,
        at now: Timestamp,
        into turn: inout Turn
    ) {
        guard let worker = ledger[place].worker else { return }
        unlease(place, from: worker)
        settleAttempt(place)
        if countsAgainstStream { ledger[place].barren += 1 }
        counters.failovers += 1
        enqueue(place, isFailover: true)
        if ledger[place].barren >= settings.barrenAttempts {
            let message =
                "\(ledger[place].barren) attempts in a row brought no token; the last one was lost because: \(cause)"
            end(place, .failed, error: ApusError(.attemptsExhausted, message), at: now, into: &turn)
        }
    }

    /// Notes what an attempt that is over has brought.
    private mutating func settleAttempt(_ place: Int) {
        guard ledger[place].next > ledger[place].attemptStart else { return }
        ledger[place].barren = 0
        ledger[place].fingerprint = ledger[place].leaseFingerprint
    }

    /// Takes slots from streams that only wait for their consumers, where other streams wait for a slot.
    ///
    /// A reader that stands still pauses its own stream and nobody else's: the stream goes on, wherever there is a slot, when it
    /// is granted credit again.
    mutating func parkPaused(at now: Timestamp, into turn: inout Turn) {
        guard counters.queued > 0 else { return }
        for worker in workers.indices where workers[worker].leases >= workers[worker].registration.slots {
            for place in leased(to: worker) {
                guard ledger[place].next >= ledger[place].workerLimit else {
                    ledger[place].pausedSince = nil
                    continue
                }
                guard let since = ledger[place].pausedSince else {
                    ledger[place].pausedSince = now
                    continue
                }
                guard now - since >= settings.pauseTolerance else { continue }
                turn.revoke(workers[worker].peer, ledger[place].id, ledger[place].epoch)
                unlease(place, from: worker)
                settleAttempt(place)
                ledger[place].pausedSince = nil
                ledger[place].isParked = true
                counters.parked += 1
            }
        }
    }

    /// Lets a parked stream wait for a slot again, if it may compute now.
    mutating func unpark(_ place: Int) {
        guard ledger[place].isParked, workerLimit(at: place) > ledger[place].next else { return }
        ledger[place].isParked = false
        counters.parked -= 1
        enqueue(place, isFailover: true)
    }

    /// Ends a stream, once and for ever; one that ended already stays as it is.
    mutating func end(
        _ place: Int,
        _ reason: FinishReason,
        error: ApusError? = nil,
        at now: Timestamp,
        into turn: inout Turn
    ) {
        guard ledger[place].end == nil else { return }
        if let worker = ledger[place].worker {
            unlease(place, from: worker)
            if !reason.isSuccess { turn.revoke(workers[worker].peer, ledger[place].id, ledger[place].epoch) }
        } else if ledger[place].isParked {
            ledger[place].isParked = false
            counters.parked -= 1
        } else {
            counters.queued -= 1
        }
        switch reason {
        case .stop, .length: counters.completed += 1
        case .cancelled: counters.cancelled += 1
        case .failed, .expired: counters.failed += 1
        }
        let accepted = ledger[place].acceptedAt
        let end = StreamEnd(
            reason: reason,
            error: error,
            usage: Usage(promptTokens: ledger[place].promptTokens, completionTokens: ledger[place].next),
            timings: StreamTimings(
                queueWait: ledger[place].dispatchedAt.map { $0 - accepted },
                firstToken: ledger[place].firstTokenAt.map { $0 - accepted },
                total: now - accepted
            ),
            continuity: ledger[place].continuity,
            attempts: Int(ledger[place].epoch.rawValue)
        )
        ledger[place].end = end
        counters.promptBytes -= ledger[place].request.prompt.utf8.count
        ledger[place].request.prompt = ""
        turn.records.append(.ended(ledger[place].id, end, at: now))
        for consumer in ledger[place].consumers { unsettled.append((consumer.client, ledger[place].id)) }
        retained.append(ledger[place].id, endedAt: now, tokens: ledger[place].next)
    }

    private mutating func queuePlace(of model: ModelName) -> Int {
        if let place = queues.firstIndex(where: { $0.model == model }) { return place }
        queues.append(WorkQueue(model: model))
        return queues.count - 1
    }
}
