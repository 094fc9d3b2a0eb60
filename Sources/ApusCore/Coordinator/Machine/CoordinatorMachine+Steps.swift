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
            workers[worker].progressAt = now
            if workers[worker].state == .lost(.hung) { takeBack(worker, at: now, into: &turn) }
        }
        workers[worker].load = report.load
        if !report.tokens.isEmpty { take(report.tokens, from: worker, at: now, into: &turn) }
        for end in report.ends { attemptEnded(end, on: worker, at: now, into: &turn) }
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
        for row in 0..<rows.rows {
            let run = TokenRun(startingAt: token, byte: byte, count: Int(rows.counts[row]), of: rows)
            token = run.endToken
            byte = run.endByte
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
            return refuse(stream, epoch, count, on: worker, into: &turn)
        case .broken:
            breakAttempt(place, on: worker, at: now, into: &turn)
            return count
        case .taken(let skip, let isFirst):
            if isFirst {
                ledger[place].firstTokenAt = now
                turn.firstTokens.append(
                    MeasuredTime(worker: workers[worker].registration.name, time: now - ledger[place].acceptedAt)
                )
            }
            if ledger[place].workerLimit - ledger[place].next < settings.workerWindow / 2 {
                extendWorkerLimit(at: place, into: &turn)
            }
            return skip
        }
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
            clients[consumer.client]?.isBlocked == false
        else { return nil }
        ledger[place].consumers[0].cursor = next
        return consumer.client
    }

    /// Hands the new tokens of a stream to every consumer that has all before them, as far as its credit goes.
    private mutating func release(_ run: TokenRun, of rows: TokenColumns, row: Int, into turn: inout Turn) {
        guard let place = ledger.place(of: StreamID(rawValue: rows.streams[row])) else { return }
        let next = ledger[place].next
        let first = next - run.count
        for position in ledger[place].consumers.indices where ledger[place].consumers[position].cursor == first {
            let consumer = ledger[place].consumers[position]
            let count = min(next, consumer.limit) - first
            guard count > 0, consumer.isSettled else { continue }
            guard clients[consumer.client]?.isBlocked == false else {
                clients[consumer.client]?.behind.insert(ledger[place].id)
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
        guard let entry = clients[client] else { preconditionFailure("a consumer without a client") }
        if let place = entry.outgoing { return place }
        let place = turn.clients.count
        if place == turn.outgoing.count { turn.outgoing.append(TokenColumns()) }
        turn.clients.append(OutgoingClient(peer: entry.peer, place: place))
        clients[client]?.outgoing = place
        return place
    }

    /// Lets the worker compute as far as its window and the fastest consumer allow, and forget what is accepted.
    mutating func extendWorkerLimit(at place: Int, into turn: inout Turn) {
        guard let worker = ledger[place].worker else { return unpark(place) }
        let limit = workerLimit(at: place)
        guard limit > ledger[place].workerLimit else { return }
        ledger[place].workerLimit = limit
        turn.acknowledge(workers[worker].peer, ledger[place].id, through: ledger[place].next, limit: limit)
    }

    /// The index up to which a worker may compute now.
    ///
    /// A stream that nobody follows runs to its end.
    func workerLimit(at place: Int) -> Int {
        let window = ledger[place].next + settings.workerWindow
        var furthest: Int?
        for consumer in ledger[place].consumers { furthest = max(furthest ?? 0, consumer.limit) }
        return min(window, furthest ?? window)
    }

    private mutating func attemptEnded(_ end: AttemptEnd, on worker: Int, at now: Timestamp, into turn: inout Turn) {
        guard let place = ledger.place(of: end.stream), ledger[place].epoch == end.epoch, ledger[place].worker == worker
        else {
            counters.stale += 1
            turn.revoke(workers[worker].peer, end.stream, end.epoch)
            return
        }
        ledger[place].promptTokens = end.promptTokens
        let peer = workers[worker].peer
        if end.reason == .failed, let error = end.error {
            let wider = largestContext(of: workers[worker].registration.model) ?? 0
            if error.code == .promptTooLong, wider > workers[worker].registration.contextTokens {
                // Another worker has more room; nobody is to blame.
                ledger[place].contextTokens = workers[worker].registration.contextTokens + 1
                turn.revoke(peer, end.stream, end.epoch)
                loseAttempt(place, cause: error.message, countsAgainstStream: false, at: now, into: &turn)
                return
            }
            if error.code == .engineFailure || error.isRetriable {
                // A worker that is leaving gives everything back, and must not get it again.
                if error.code == .shuttingDown { workers[worker].isDraining = true }
                turn.revoke(peer, end.stream, end.epoch)
                let counts = error.code != .shuttingDown
                loseAttempt(place, cause: error.message, countsAgainstStream: counts, at: now, into: &turn)
                return
            }
        }
        turn.acknowledge(peer, end.stream, through: ledger[place].next, limit: ledger[place].next)
        switch end.reason {
        case .stop, .length:
            self.end(place, end.reason, at: now, into: &turn)
        case .failed, .cancelled, .expired:
            let error = end.error ?? ApusError(.engineFailure, "the worker gave up the stream without a reason")
            self.end(place, .failed, error: error, at: now, into: &turn)
        }
    }

    /// A worker's rows for a stream leave a gap or go past its end: the attempt can't be trusted any more.
    private mutating func breakAttempt(_ place: Int, on worker: Int, at now: Timestamp, into turn: inout Turn) {
        counters.violations += 1
        turn.revoke(workers[worker].peer, ledger[place].id, ledger[place].epoch)
        loseAttempt(place, cause: "its worker sent a wrong index", at: now, into: &turn)
    }
}
