import ApusModel

extension CoordinatorMachine {
    /// A worker became slow, or is itself again.
    mutating func paceChanged(_ worker: Int, at now: Timestamp) {
        workers[worker].isSlow = costs[worker].pace.isSlow
        if workers[worker].isSlow {
            slow.append(worker)
            workers[worker].probation.struck(.slowed, at: now)
        } else {
            needsDispatch = true
        }
        refreshStanding(of: worker, at: now)
    }

    /// Starts second attempts for the streams of slow workers, as far as there are slots that nobody waits for.
    mutating func hedgeSlow(at now: Timestamp, into turn: inout Turn) {
        guard !slow.isEmpty else { return }
        // One that is lost stays on the list: it may be back, and still slow.
        slow.removeAll { !workers[$0].isSlow }
        for worker in slow where workers[worker].firstLease != nil {
            let model = workers[worker].model
            // Another slow worker is no help.
            guard models[model].line.count == 0, models[model].pool.vacant > 0 else { continue }
            for place in leased(to: worker)
            where !ledger[place].isHedged && ledger[place].next < ledger[place].workerLimit {
                guard models[model].pool.vacant > 0 else { break }
                guard retries.available(at: now) > 0 else { return }
                guard let choice = hedgeChoice(for: place, model: model, besides: worker), retries.take(at: now) else {
                    continue
                }
                hedge(place, on: choice, at: now, into: &turn)
            }
        }
    }

    private mutating func hedgeChoice(for place: Int, model: Int, besides worker: Int) -> Placement? {
        var query = query(for: place, model: model)
        query.avoiding = worker
        query.fingerprint = ledger[place].leaseFingerprint
        return choose(query, model: model)
    }

    private mutating func hedge(
        _ place: Int,
        on choice: Placement,
        at now: Timestamp,
        into turn: inout Turn
    ) {
        let registration = workers[choice.worker].registration
        let isEqual = ledger[place].leaseFingerprint == registration.fingerprint && registration.exactness == .exact
        let epoch = ledger[place].epoch.next
        let hedge = Hedge(
            worker: choice.worker,
            epoch: epoch,
            fingerprint: registration.fingerprint,
            isEqual: isEqual && ledger[place].contextTokens <= registration.contextTokens,
            exactness: registration.exactness,
            start: ledger[place].next,
            next: ledger[place].next,
            pendingPrefill: max(0, ledger[place].prefillEstimate - choice.cachedTokens),
            contextTokens: registration.contextTokens
        )
        ledger[place].epoch = epoch
        ledger[place].isHedged = true
        hedges[place] = hedge
        workers[choice.worker].hedges.append(place)
        costs[choice.worker].leases += 1
        costs[choice.worker].pendingPrefillTokens += hedge.pendingPrefill
        counters.hedges += 1
        refreshStanding(of: choice.worker)
        announce(place, epoch, on: choice.worker, isHedge: true, at: now, into: &turn)
    }

    /// Frees the slot of a stream's hedge.
    private mutating func unseatHedge(_ place: Int) -> Hedge? {
        guard let hedge = hedges.removeValue(forKey: place) else { return nil }
        ledger[place].isHedged = false
        workers[hedge.worker].hedges.removeAll { $0 == place }
        costs[hedge.worker].leases -= 1
        costs[hedge.worker].prefillEnded(tokens: hedge.pendingPrefill)
        refreshStanding(of: hedge.worker)
        needsDispatch = true
        return hedge
    }

    /// A stream's hedge is not needed, or lost.
    mutating func dropHedge(_ place: Int, into turn: inout Turn) {
        guard let hedge = unseatHedge(place) else { return }
        turn.revoke(workers[hedge.worker].peer, ledger[place].id, hedge.epoch)
    }

    /// A stream's hedge is lost with its worker, for which the stream may be to blame as for any other.
    mutating func hedgeLost(
        _ place: Int,
        cause: String,
        countsAgainstStream: Bool,
        at now: Timestamp,
        into turn: inout Turn
    ) {
        dropHedge(place, into: &turn)
        guard countsAgainstStream else { return }
        countLoss(place, cause: cause, at: now, into: &turn)
        if !ledger[place].hasEnded { ledger[place].outlived += 1 }
    }

    /// The attempt beside the hedge brought new tokens: where both compute the same, the hedge may still overtake a worker that
    /// stays slow; otherwise it is behind for good.
    mutating func primaryMoved(_ place: Int, into turn: inout Turn) {
        guard let hedge = hedges[place], let worker = ledger[place].worker else { return }
        if !hedge.isEqual || !workers[worker].isSlow { dropHedge(place, into: &turn) }
    }

    /// A row came from a stream's hedge.
    ///
    /// - Returns: How many of the row's tokens are not taken, from its first on.
    mutating func takeHedged(
        _ count: Int,
        at first: Int,
        for place: Int,
        at now: Timestamp,
        into turn: inout Turn
    ) -> Int {
        guard var hedge = hedges[place], let slow = ledger[place].worker else { return count }
        guard first == hedge.next, first + count <= ledger[place].request.maximumTokens else {
            counters.violations += 1
            workers[hedge.worker].probation.struck(.lied, at: now)
            dropHedge(place, into: &turn)
            refreshStanding(of: hedge.worker, at: now)
            return count
        }
        costs[hedge.worker].prefillEnded(tokens: hedge.pendingPrefill)
        hedge.pendingPrefill = 0
        hedge.next = first + count
        hedges[place] = hedge
        let skip = ledger[place].next - first
        guard skip < count else { return count }
        turn.revoke(workers[slow].peer, ledger[place].id, ledger[place].accepting)
        overtake(place, at: now, into: &turn)
        let isFirst = ledger[place].next == 0
        ledger[place].next = first + count
        advanced(place, on: hedge.worker, isFirst: isFirst, at: now, into: &turn)
        return skip
    }

    /// A stream's hedge reports its end.
    ///
    /// - Returns: Whether the hedge is the attempt whose end counts now.
    mutating func hedgeEnded(_ end: AttemptEnd, of place: Int, at now: Timestamp, into turn: inout Turn) -> Bool {
        guard let hedge = hedges[place], let slow = ledger[place].worker else { return false }
        guard end.reason.isSuccess, hedge.next == ledger[place].next, hedge.isEqual || hedge.start == hedge.next else {
            dropHedge(place, into: &turn)
            return false
        }
        turn.revoke(workers[slow].peer, ledger[place].id, ledger[place].accepting)
        overtake(place, at: now, into: &turn)
        return true
    }

    /// The attempt beside a hedge is lost: the hedge goes on, or the stream waits for another worker.
    mutating func promoteHedge(_ place: Int, at now: Timestamp, into turn: inout Turn) {
        guard let hedge = hedges[place] else { return }
        // A hedge that the lost attempt had left behind computes from a history that is not the stream's any more.
        guard hedge.isEqual || hedge.start == ledger[place].next else {
            dropHedge(place, into: &turn)
            enqueue(place)
            return
        }
        install(place, at: now, into: &turn)
    }

    /// The hedge takes the place of the attempt beside it.
    private mutating func overtake(_ place: Int, at now: Timestamp, into turn: inout Turn) {
        if let worker = ledger[place].worker { release(place, from: worker) }
        counters.failovers += 1
        install(place, at: now, into: &turn)
    }

    private mutating func install(_ place: Int, at now: Timestamp, into turn: inout Turn) {
        guard let hedge = unseatHedge(place) else { return }
        ledger[place].phase = .running
        ledger[place].accepting = hedge.epoch
        let continuity = ledger[place].continuity(
            onFingerprint: hedge.fingerprint,
            exactness: hedge.exactness,
            contextTokens: hedge.contextTokens
        )
        ledger[place].continuity = max(ledger[place].continuity, continuity)
        ledger[place].leaseFingerprint = hedge.fingerprint
        ledger[place].contextTokens = max(ledger[place].contextTokens, hedge.contextTokens)
        ledger[place].attemptStart = hedge.start
        ledger[place].pendingPrefill = hedge.pendingPrefill
        // Its worker knows the present limit only: one that is higher has to be told.
        seat(place, on: hedge.worker, limit: ledger[place].workerLimit, at: now)
        extendWorkerLimit(at: place, into: &turn)
    }
}
