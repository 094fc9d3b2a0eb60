public import ApusModel

extension CoordinatorMachine {
    /// A worker sent a step or a beat.
    ///
    /// Each row is taken where its epoch is the stream's present one and its index comes next; what is already known is trimmed,
    /// what belongs to a fenced attempt is refused and revoked, a gap ends the attempt.
    ///
    /// - Parameters:
    ///   - report: The message; its columns are valid and carry epochs.
    ///   - peer: The worker's connection.
    ///   - now: When it came.
    ///   - turn: Receives the decisions.
    public mutating func stepReceived(
        _ report: StepReport,
        from peer: WorkerPeer,
        at now: Timestamp,
        into turn: inout Turn
    ) {
        guard let worker = heard(from: peer, at: now, into: &turn) else { return }
        if report.progress != workers[worker].progress || !report.isBusy {
            workers[worker].progress = report.progress
            watches[worker].progressAt = now
            if workers[worker].state == .lost(.hung) { takeBack(worker, at: now, into: &turn) }
        }
        workers[worker].load = report.load
        if report.load.isRefusing != workers[worker].isRefusing {
            workers[worker].isRefusing = report.load.isRefusing
            refreshStanding(of: worker)
        }
        costs[worker].prefilled(report.load.prefilledTokens)
        watches[worker].stepTime = report.load.stepTime
        costs[worker].pace.observed(
            progress: report.progress,
            prefilledTokens: report.load.prefilledTokens,
            batchSize: report.load.batchSize,
            stepTime: report.load.stepTime,
            isBusy: report.isBusy,
            at: now
        )
        models[workers[worker].model].choice.measured(costs[worker])
        if costs[worker].pace.isSlow != workers[worker].isSlow { paceChanged(worker, at: now) }
        if !report.tokens.isEmpty { take(report.tokens, from: worker, at: now, into: &turn) }
        for first in report.firstTokens { firstTokenTold(first, on: worker, at: now) }
        for end in report.ends { attemptEnded(end, on: worker, at: now, into: &turn) }
        if !report.evictedBlocks.isEmpty {
            models[workers[worker].model].prefixes.remove(report.evictedBlocks, for: worker)
        }
        if !report.cachedBlocks.isEmpty {
            models[workers[worker].model].prefixes.add(report.cachedBlocks, for: worker)
        }
    }

    /// Takes the rows of a step that are current, and passes them on to the consumers that wait for them.
    ///
    /// This is the token path: a row costs one look-up and no copy. Runs of neighbouring rows that are current as they came and go
    /// whole to the same client are passed on by columns, many rows at a time.
    private mutating func take(_ rows: TokenColumns, from worker: Int, at now: Timestamp, into turn: inout Turn) {
        var relay = RelayRun()
        var kept = KeptRows()
        var token = 0
        var byte = 0
        var detail = 0
        for row in 0..<rows.rows {
            let run = TokenRun(startingAt: token, byte: byte, detail: detail, count: Int(rows.counts[row]), of: rows)
            token = run.endToken
            byte = run.endByte
            detail = run.endDetail
            let skip = accept(row, run.count, of: rows, on: worker, at: now, into: &turn)
            kept.note(row, run, skip: skip, of: rows)
            guard skip == 0, let place = ledger.place(of: StreamID(rawValue: rows.streams[row])),
                let client = relayTarget(of: place, count: run.count)
            else {
                relay.flush(rows, into: &turn)
                if skip < run.count { release(run.dropping(skip, of: rows), of: rows, row: row, into: &turn) }
                continue
            }
            if relay.client != client {
                relay.flush(rows, into: &turn)
                relay.begin(client, outgoingPlace(of: client, into: &turn), row: row, run)
            }
            relay.extend(through: row, run)
        }
        relay.flush(rows, into: &turn)
        let new = kept.finish(rows)
        counters.tokens += UInt64(new.tokens)
        workers[worker].tokens += UInt64(new.tokens)
        admission.served(tokens: new.tokens, at: now)
        if !new.isEmpty { turn.tokens.append(new) }
    }

    /// Decides on a row, and counts its new tokens.
    ///
    /// - Returns: How many of the row's tokens are not taken, from its first on.
    private mutating func accept(
        _ row: Int,
        _ count: Int,
        of rows: TokenColumns,
        on worker: Int,
        at now: Timestamp,
        into turn: inout Turn
    ) -> Int {
        let stream = StreamID(rawValue: rows.streams[row])
        let epoch = Epoch(rawValue: rows.epochs[row])
        guard let place = ledger.place(of: stream) else { return refuse(stream, epoch, count, on: worker, into: &turn) }
        switch ledger[place].accept(count, at: Int(rows.firstIndexes[row]), epoch: epoch, worker: worker) {
        case .stale:
            guard ledger[place].isHedged, hedges[place]?.epoch == epoch, hedges[place]?.worker == worker else {
                return refuse(stream, epoch, count, on: worker, into: &turn)
            }
            return takeHedged(count, at: Int(rows.firstIndexes[row]), for: place, at: now, into: &turn)
        case .broken:
            breakAttempt(place, on: worker, at: now, into: &turn)
            return count
        case .taken(let skip, let isFirst):
            if ledger[place].isHedged, skip < count { primaryMoved(place, into: &turn) }
            advanced(place, on: worker, isFirst: isFirst, at: now, into: &turn)
            return skip
        }
    }

    /// A stream has come further.
    mutating func advanced(_ place: Int, on worker: Int, isFirst: Bool, at now: Timestamp, into turn: inout Turn) {
        if ledger[place].pendingPrefill != 0 {
            costs[worker].prefillEnded(tokens: ledger[place].pendingPrefill)
            ledger[place].pendingPrefill = 0
        }
        if isFirst {
            ledger[place].firstTokenAt = now
            turn.firstTokens.append(
                MeasuredTime(worker: workers[worker].registration.name, time: now - ledger[place].acceptedAt)
            )
        }
        if ledger[place].workerLimit - ledger[place].next < settings.workerWindow / 2 {
            extendWorkerLimit(at: place, into: &turn)
        }
        if ledger[place].next >= ledger[place].workerLimit { paused(place, at: now) }
    }

    private mutating func refuse(
        _ stream: StreamID,
        _ epoch: Epoch,
        _ count: Int,
        on worker: Int,
        into turn: inout Turn
    ) -> Int {
        counters.stale += 1
        turn.revoke(workers[worker].peer, stream, epoch)
        return count
    }

    /// The one client that takes all of the new tokens of a stream directly; its cursor is moved.
    private mutating func relayTarget(of place: Int, count: Int) -> Int? {
        guard ledger[place].consumers.count == 1 else { return nil }
        let next = ledger[place].next
        let consumer = ledger[place].consumers[0]
        guard consumer.isSettled, consumer.cursor == next - count, consumer.limit >= next,
            !clients[consumer.client].isBlocked
        else { return nil }
        ledger[place].consumers[0].cursor = next
        return consumer.client
    }

    /// Hands the new tokens of a stream to every consumer that has all before them, as far as its credit goes.
    private mutating func release(_ run: TokenRun, of rows: TokenColumns, row: Int, into turn: inout Turn) {
        guard let place = ledger.place(of: StreamID(rawValue: rows.streams[row])) else { return }
        let next = ledger[place].next
        let first = next - run.count
        for position in ledger[place].consumers.indices {
            let consumer = ledger[place].consumers[position]
            guard consumer.cursor == first else {
                // A stream that is computed again reaches what its consumer had before: the rest comes from the journal.
                if consumer.cursor > first, consumer.cursor < next {
                    unsettled.append((consumer.client, ledger[place].id))
                }
                continue
            }
            let count = min(next, consumer.limit) - first
            guard count > 0, consumer.isSettled else { continue }
            guard !clients[consumer.client].isBlocked else {
                clients[consumer.client].behind.insert(ledger[place].id)
                continue
            }
            let outgoing = outgoingPlace(of: consumer.client, into: &turn)
            turn.outgoing[outgoing].append(
                run.prefix(count, of: rows),
                of: rows,
                stream: rows.streams[row],
                firstIndex: UInt64(first)
            )
            ledger[place].consumers[position].cursor += count
        }
    }

    /// Where a client's tokens of this turn are gathered.
    private mutating func outgoingPlace(of client: Int, into turn: inout Turn) -> Int {
        if let place = clients[client].outgoing { return place }
        let place = turn.clients.count
        if place == turn.outgoing.count { turn.outgoing.append(TokenColumns()) }
        turn.clients.append(OutgoingClient(peer: clients[client].peer, place: place))
        clients[client].outgoing = place
        return place
    }

    /// Lets the worker compute as far as its window and the fastest consumer allow, and forget what is accepted.
    mutating func extendWorkerLimit(at place: Int, into turn: inout Turn) {
        guard let worker = ledger[place].worker else { return unpark(place) }
        let limit = workerLimit(at: place)
        guard limit > ledger[place].workerLimit else { return }
        ledger[place].workerLimit = limit
        ledger[place].pausedSince = nil
        turn.acknowledge(workers[worker].peer, ledger[place].id, through: ledger[place].next, limit: limit)
        if ledger[place].isHedged, let hedge = hedges[place] {
            turn.acknowledge(
                workers[hedge.worker].peer,
                ledger[place].id,
                through: hedge.next,
                limit: limit
            )
        }
    }

    /// The index up to which a worker may compute now.
    ///
    /// A stream that nobody follows runs to its end.
    @inline(__always)
    func workerLimit(at place: Int) -> Int {
        let window = ledger[place].next + settings.workerWindow
        var furthest: Int?
        for consumer in ledger[place].consumers { furthest = max(furthest ?? 0, consumer.limit) }
        return min(window, furthest ?? window)
    }

    /// A worker's rows for a stream leave a gap, go past its end or end too early: the attempt can't be trusted any more.
    mutating func breakAttempt(_ place: Int, on worker: Int, at now: Timestamp, into turn: inout Turn) {
        counters.violations += 1
        workers[worker].probation.struck(.lied, at: now)
        refreshStanding(of: worker, at: now)
        ledger[place].avoided = worker
        turn.revoke(workers[worker].peer, ledger[place].id, ledger[place].accepting)
        loseAttempt(place, cause: "its worker sent what can't be", at: now, into: &turn)
    }
}
