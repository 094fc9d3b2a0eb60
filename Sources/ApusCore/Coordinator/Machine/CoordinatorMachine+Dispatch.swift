import ApusModel

extension CoordinatorMachine {
    /// Streams at the head of a line that may be passed over in a turn because no vacant worker has room for them.
    private static let passedOver = 16

    /// Lets a stream wait for a slot: in the line of its model, or for the model to come.
    mutating func enqueue(_ place: Int) {
        counters.queued += 1
        guard let model = ledger[place].model ?? bindToKnown(place) else {
            ledger[place].phase = .unbound
            unbound.append(ledger[place].id)
            if unbound.count > 2 * counters.queued + 64 {
                unbound = unbound.filter { stream in
                    ledger.place(of: stream).map { ledger[$0].phase == .unbound } ?? false
                }
            }
            return
        }
        ledger[place].phase = .queued
        models[model].line.insert(ledger[place].waiting)
        needsDispatch = true
    }

    /// Binds a stream to the model that its request names, if a known worker serves it.
    mutating func bindToKnown(_ place: Int) -> Int? {
        guard let name = ledger[place].request.model, let model = modelPlaces[name], models[model].workers > 0 else {
            return nil
        }
        bind(place, to: model)
        return model
    }

    /// Leases vacant slots to waiting streams, as long as there are both.
    mutating func dispatch(at now: Timestamp, into turn: inout Turn) {
        for model in models.indices where models[model].line.count > 0 {
            dispatch(model: model, at: now, into: &turn)
        }
    }

    private mutating func dispatch(model: Int, at now: Timestamp, into turn: inout Turn) {
        var passed: [WaitingStream] = []
        while models[model].pool.hasVacancy, let waiting = models[model].line.first {
            guard let place = ledger.place(of: waiting.stream) else { preconditionFailure("a forgotten stream waits") }
            // Time is looked at in ticks; a stream whose deadline passed since the last one is not started any more.
            if ledger[place].deadline <= now {
                expire(waiting.stream, at: now, into: &turn)
                continue
            }
            guard let choice = chooseWorker(for: place, model: model) else {
                // Only a stream that needs a larger context, or must not go back where it failed, is passed over: it had
                // its turn before, so that taking it out and back in charges nobody.
                guard waiting.isFailover, passed.count < Self.passedOver else { break }
                models[model].line.remove(waiting)
                passed.append(waiting)
                continue
            }
            _ = models[model].line.takeFirst()
            lease(place, to: choice, at: now, into: &turn)
        }
        for waiting in passed { models[model].line.insert(waiting) }
    }

    /// Which worker takes a stream now; `nil` where no vacant one may.
    mutating func chooseWorker(for place: Int, model: Int) -> Placement? {
        var query = query(for: place, model: model)
        query.avoiding = ledger[place].avoided
        if let choice = choose(query, model: model) { return choice }
        guard let avoided = query.avoiding,
            !models[model].pool.hasTrusted(contextTokens: query.contextTokens, besides: avoided)
        else { return nil }
        query.avoiding = nil
        return choose(query, model: model)
    }

    /// Asks which worker takes a stream.
    mutating func choose(_ query: PlacementQuery, model: Int) -> Placement? {
        let worker = models[model].choice.choose(
            for: query,
            in: models[model].pool,
            prefixes: models[model].prefixes,
            costs: costs
        )
        guard let worker else { return nil }
        var depth = query.sharedBlocks(with: worker)
        if !query.blocks.isEmpty {
            let prefixes = models[model].prefixes
            let known = prefixes.knownDepth(of: query.blocks)
            depth = max(depth, prefixes.depth(of: query.blocks, for: worker, known: known))
        }
        return Placement(worker: worker, cachedTokens: depth * WorkerChoice.blockTokens)
    }

    /// What placement has to know of a stream.
    @inline(__always)
    func query(for place: Int, model: Int) -> PlacementQuery {
        PlacementQuery(
            stream: ledger[place].id,
            epoch: ledger[place].epoch.next,
            promptTokens: ledger[place].prefillEstimate - ledger[place].next,
            historyTokens: ledger[place].next,
            blocks: models[model].prefixes.count == 0 ? [] : ledger[place].request.prefixBlocks,
            contextTokens: contextTokens(of: place, model: model),
            fingerprint: ledger[place].fingerprint,
            avoiding: nil,
            sibling: ledger[place].choice > 0 ? workerOfFirstChoice(of: place) : nil,
            siblingBlocks: ledger[place].choice > 0 ? PrefixBlocks.count(of: ledger[place].request) : 0
        )
    }

    /// The worker that runs the first stream of a job: it has computed the prompt, or is about to.
    private func workerOfFirstChoice(of place: Int) -> Int? {
        ledger.place(of: ledger[place].firstStream).flatMap { ledger[$0].worker }
    }

    /// Starts a stream's next attempt.
    private mutating func lease(
        _ place: Int,
        to choice: Placement,
        at now: Timestamp,
        into turn: inout Turn
    ) {
        let worker = choice.worker
        let registration = workers[worker].registration
        let epoch = ledger[place].epoch.next
        if epoch == Epoch.none.next {
            admission.removed(ledger[place].waiting)
            ledger[place].isCharged = true
            retries.attemptStarted()
        } else {
            ledger[place].continuity = max(ledger[place].continuity, continuity(of: place, on: registration))
        }
        ledger[place].phase = .running
        ledger[place].epoch = epoch
        ledger[place].accepting = epoch
        ledger[place].leaseFingerprint = registration.fingerprint
        ledger[place].contextTokens = max(ledger[place].contextTokens, registration.contextTokens)
        ledger[place].attemptStart = ledger[place].next
        ledger[place].avoided = nil
        ledger[place].pendingPrefill = max(0, ledger[place].prefillEstimate - choice.cachedTokens)
        counters.queued -= 1
        seat(place, on: worker, at: now)
        if ledger[place].dispatchedAt == nil {
            ledger[place].dispatchedAt = now
            turn.queueWaits.append(MeasuredTime(worker: registration.name, time: now - ledger[place].acceptedAt))
        }
        announce(place, epoch, on: worker, isHedge: false, at: now, into: &turn)
    }

    /// Puts a stream on its worker's list.
    ///
    /// - Parameters:
    ///   - place: The stream's place.
    ///   - worker: The worker's place.
    ///   - limit: The index up to which the worker may compute, as it knows or will be told in this turn; `nil` for as far as its
    ///     window and the consumers allow.
    ///   - now: The present moment.
    mutating func seat(_ place: Int, on worker: Int, limit: Int? = nil, at now: Timestamp) {
        ledger[place].worker = worker
        ledger[place].recoverableFrom = nil
        ledger[place].outlived = ledger[place].lost
        ledger[place].workerLimit = limit ?? workerLimit(at: place)
        ledger[place].pausedSince = nil
        ledger[place].previousLease = nil
        ledger[place].nextLease = workers[worker].firstLease
        if let head = workers[worker].firstLease { ledger[head].previousLease = place }
        workers[worker].firstLease = place
        costs[worker].leases += 1
        costs[worker].pendingPrefillTokens += ledger[place].pendingPrefill
        counters.active += 1
        refreshStanding(of: worker)
        if ledger[place].next >= ledger[place].workerLimit { paused(place, at: now) }
    }

    /// Journals an attempt and sends it off.
    mutating func announce(
        _ place: Int,
        _ epoch: Epoch,
        on worker: Int,
        isHedge: Bool,
        at now: Timestamp,
        into turn: inout Turn
    ) {
        let registration = workers[worker].registration
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
                    losses: ledger[place].losses,
                    lost: Int(ledger[place].lost),
                    isHedge: isHedge,
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

    /// What an attempt on a worker does to a stream's continuity.
    func continuity(of place: Int, on registration: WorkerRegistration) -> Continuity {
        ledger[place].continuity(
            onFingerprint: registration.fingerprint,
            exactness: registration.exactness,
            contextTokens: registration.contextTokens
        )
    }

    /// The context that the next worker of a stream must have.
    ///
    /// Where no worker that serves has as much as the stream began with, the largest there is has to do; the continuation is then
    /// not exact.
    private func contextTokens(of place: Int, model: Int) -> Int {
        let wanted = ledger[place].contextTokens
        guard wanted > 0, let largest = models[model].pool.largestContext else { return 0 }
        return min(wanted, largest)
    }
}
