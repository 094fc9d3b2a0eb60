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
    private mutating func take(_ rows: TokenColumns, from worker: Int, at now: Timestamp, into turn: inout Turn) {
        var accepted = TokenColumns()
        var isWhole = true
        var token = 0
        var byte = 0
        for row in 0..<rows.rows {
            let count = Int(rows.counts[row])
            let firstToken = token
            token += count
            var length = 0
            for place in firstToken..<token { length += Int(rows.textLengths[place]) }
            let firstByte = byte
            byte += length

            var skip = count
            if let place = current(row, of: rows, on: worker, into: &turn) {
                skip = ledger[place].next - Int(rows.firstIndexes[row])
                if skip < 0 || ledger[place].next + count - max(skip, 0) > ledger[place].request.maximumTokens {
                    breakAttempt(place, on: worker, at: now, into: &turn)
                    skip = count
                } else if skip < count {
                    let run = TokenRun(
                        rows: rows,
                        firstToken: firstToken,
                        endToken: token,
                        firstByte: firstByte,
                        endByte: byte
                    )
                    release(run.dropping(skip), of: place, at: now, worker: worker, into: &turn)
                }
            }
            if skip == 0 {
                if !isWhole {
                    let run = TokenRun(
                        rows: rows,
                        firstToken: firstToken,
                        endToken: token,
                        firstByte: firstByte,
                        endByte: byte
                    )
                    accepted.append(run, stream: rows.streams[row], firstIndex: rows.firstIndexes[row])
                }
            } else {
                if isWhole { accepted.append(rows: 0..<row, of: rows, endToken: firstToken, endByte: firstByte) }
                isWhole = false
                if skip < count {
                    let run = TokenRun(
                        rows: rows,
                        firstToken: firstToken,
                        endToken: token,
                        firstByte: firstByte,
                        endByte: byte
                    )
                    accepted.append(
                        run.dropping(skip),
                        stream: rows.streams[row],
                        firstIndex: rows.firstIndexes[row] + UInt64(skip)
                    )
                }
            }
        }
        if isWhole {
            turn.tokens.append(rows)
        } else if !accepted.isEmpty {
            turn.tokens.append(accepted)
        }
    }

    /// The place of a row's stream, if the row belongs to its present attempt on this worker.
    private mutating func current(_ row: Int, of rows: TokenColumns, on worker: Int, into turn: inout Turn) -> Int? {
        let stream = StreamID(rawValue: rows.streams[row])
        let epoch = Epoch(rawValue: rows.epochs[row])
        if let place = ledger.place(of: stream), ledger[place].epoch == epoch,
            case .leased(worker) = ledger[place].phase
        {
            return place
        }
        counters.stale += 1
        turn.revoke(workers[worker].peer, stream, epoch)
        return nil
    }

    /// Counts new tokens of a stream and hands them to every consumer that has all before them.
    private mutating func release(
        _ run: TokenRun,
        of place: Int,
        at now: Timestamp,
        worker: Int,
        into turn: inout Turn
    ) {
        let first = ledger[place].next
        let next = first + run.count
        ledger[place].next = next
        counters.tokens += UInt64(run.count)
        workers[worker].tokens += UInt64(run.count)
        if first == 0 {
            ledger[place].firstTokenAt = now
            turn.firstTokens.append(
                FirstToken(worker: workers[worker].registration.name, time: now - ledger[place].acceptedAt)
            )
        }
        for position in ledger[place].consumers.indices where ledger[place].consumers[position].cursor == first {
            let consumer = ledger[place].consumers[position]
            let count = min(next, consumer.limit) - first
            guard count > 0, consumer.isSettled else { continue }
            guard let outgoing = outgoingPlace(of: consumer.client, into: &turn) else {
                clients[consumer.client]?.behind.insert(ledger[place].id)
                continue
            }
            turn.outgoing[outgoing].append(
                count == run.count ? run : run.prefix(count),
                stream: ledger[place].id.rawValue,
                firstIndex: UInt64(first)
            )
            ledger[place].consumers[position].cursor += count
        }
        if ledger[place].workerLimit - next < settings.workerWindow / 2 { extendWorkerLimit(at: place, into: &turn) }
    }

    /// Where a client's tokens of this turn are gathered; `nil` while its connection takes nothing.
    private mutating func outgoingPlace(of client: Int, into turn: inout Turn) -> Int? {
        guard let entry = clients[client], !entry.isBlocked else { return nil }
        if let place = entry.outgoing { return place }
        let place = turn.clients.count
        if place == turn.outgoing.count { turn.outgoing.append(TokenColumns()) }
        turn.clients.append(OutgoingClient(peer: entry.peer, place: place))
        clients[client]?.outgoing = place
        return place
    }

    /// Lets the worker compute as far as its window and the fastest consumer allow, and forget what is accepted.
    mutating func extendWorkerLimit(at place: Int, into turn: inout Turn) {
        guard case .leased(let worker) = ledger[place].phase else { return }
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
        guard let furthest = ledger[place].consumers.map(\.limit).max() else { return window }
        return min(window, furthest)
    }

    private mutating func attemptEnded(_ end: AttemptEnd, on worker: Int, at now: Timestamp, into turn: inout Turn) {
        guard let place = ledger.place(of: end.stream), ledger[place].epoch == end.epoch,
            case .leased(worker) = ledger[place].phase
        else {
            counters.stale += 1
            turn.revoke(workers[worker].peer, end.stream, end.epoch)
            return
        }
        ledger[place].promptTokens = end.promptTokens
        let peer = workers[worker].peer
        if end.reason == .failed, let error = end.error, error.code == .engineFailure || error.isRetriable {
            turn.revoke(peer, end.stream, end.epoch)
            let counts = error.code == .engineFailure
            loseAttempt(place, cause: error.message, countsAgainstStream: counts, at: now, into: &turn)
            return
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
