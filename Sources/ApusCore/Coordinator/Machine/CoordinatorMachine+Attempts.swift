import ApusModel
import DequeModule

extension CoordinatorMachine {
    /// Takes a stream off its worker's list; where it goes is for the caller to say.
    private mutating func unseat(_ place: Int, from worker: Int) {
        let (previous, next) = (ledger[place].previousLease, ledger[place].nextLease)
        if let previous { ledger[previous].nextLease = next } else { workers[worker].firstLease = next }
        if let next { ledger[next].previousLease = previous }
        ledger[place].previousLease = nil
        ledger[place].nextLease = nil
        ledger[place].worker = nil
        ledger[place].pausedSince = nil
        costs[worker].leases -= 1
        costs[worker].prefillEnded(tokens: ledger[place].pendingPrefill)
        ledger[place].pendingPrefill = 0
        counters.active -= 1
        refreshStanding(of: worker)
        needsDispatch = true
    }

    /// Notes what a stream's attempt brought, and takes it off its worker's list.
    mutating func release(_ place: Int, from worker: Int) {
        settleAttempt(place)
        unseat(place, from: worker)
    }

    /// The places of the streams that are leased to a worker, oldest stream first.
    func leased(to worker: Int) -> [Int] {
        var streams: [StreamID] = []
        var place = workers[worker].firstLease
        while let present = place {
            streams.append(ledger[present].id)
            place = ledger[present].nextLease
        }
        streams.sort()
        return streams.compactMap(ledger.place(of:))
    }

    /// An attempt is over without an end of its stream: the stream goes on elsewhere, unless it seems to kill its workers.
    ///
    /// Attempts count against a stream as long as they are lost at about the same index: a job that makes its workers die does
    /// so at the same index each time, whereas a stream that goes on between losses is a victim. An attempt that its worker gave
    /// back in good order does not count at all.
    ///
    /// - Parameters:
    ///   - place: The stream's place.
    ///   - cause: Why the attempt is over, for the end of a stream that is given up.
    ///   - countsAgainstStream: Whether the stream may be to blame.
    ///   - isHeldBack: Whether the stream waits for the retry budget, whatever it has lost before.
    ///   - now: The present moment.
    ///   - turn: Receives the decisions.
    mutating func loseAttempt(
        _ place: Int,
        cause: String,
        countsAgainstStream: Bool = true,
        isHeldBack: Bool = false,
        at now: Timestamp,
        into turn: inout Turn
    ) {
        guard let worker = ledger[place].worker else { return }
        settleAttempt(place)
        let isDisconnected = workers[worker].state == .lost(.disconnected)
        ledger[place].recoverableFrom = isDisconnected ? workers[worker].registration.incarnation : nil
        if countsAgainstStream {
            countLoss(place, cause: cause, at: now, into: &turn)
            guard !ledger[place].hasEnded else { return }
        }
        counters.failovers += 1
        unseat(place, from: worker)
        if ledger[place].isHedged {
            promoteHedge(place, at: now, into: &turn)
        } else if isHeldBack || countsAgainstStream && ledger[place].losses > 1 {
            // A first loss is the worker's: its streams go on at once, whatever their number. What is lost again is held back:
            // until every worker that was dead by then is known to be, so that a storm's victims are not taken for its cause,
            // and as long as the budget wants, so that retries can't become the cluster's main work.
            ledger[place].phase = .delayed
            ledger[place].lostAt = now
            counters.queued += 1
            delayed.append(ledger[place].id)
            if delayed.count > 2 * counters.queued + 64 {
                delayed.removeAll { stream in ledger.place(of: stream).map { ledger[$0].phase != .delayed } ?? true }
            }
        } else {
            enqueue(place)
        }
    }

    /// Counts an attempt that was lost, and gives up a stream that loses one after the other.
    mutating func countLoss(_ place: Int, cause: String, at now: Timestamp, into turn: inout Turn) {
        ledger[place].countLoss(window: settings.lossWindow)
        guard ledger[place].losses >= settings.lossLimit else { return }
        let message =
            "\(ledger[place].losses) attempts in a row were lost at the same place; the last one because: \(cause)"
        end(place, .failed, error: ApusError(.attemptsExhausted, message), at: now, into: &turn)
    }

    /// Lets streams try again that have waited for long enough and for which the retry budget has room.
    mutating func releaseDelayed(at now: Timestamp) {
        while let stream = delayed.first {
            guard let place = ledger.place(of: stream), ledger[place].phase == .delayed else {
                delayed.removeFirst()
                continue
            }
            guard now - ledger[place].lostAt > settings.beatTimeout, retries.take(at: now) else { return }
            delayed.removeFirst()
            counters.queued -= 1
            enqueue(place)
        }
    }

    /// Notes what an attempt that is over has brought.
    private mutating func settleAttempt(_ place: Int) {
        guard ledger[place].next > ledger[place].attemptStart else { return }
        ledger[place].fingerprint = ledger[place].leaseFingerprint
    }

    // MARK: - Streams that wait for their consumers

    /// A stream has reached the index up to which its worker may compute.
    mutating func paused(_ place: Int, at now: Timestamp) {
        guard ledger[place].pausedSince == nil else { return }
        ledger[place].pausedSince = now
        guard !ledger[place].isListedAsPaused else { return }
        list(place)
        guard paused.count > 2 * counters.active + 64 else { return }
        for stream in takePaused() {
            if let place = ledger.place(of: stream), ledger[place].pausedSince != nil { list(place) }
        }
    }

    private mutating func list(_ place: Int) {
        ledger[place].isListedAsPaused = true
        paused.append(ledger[place].id)
    }

    /// Takes all streams off the list of those that are paused.
    private mutating func takePaused() -> Deque<StreamID> {
        let streams = paused
        paused.removeAll(keepingCapacity: true)
        for stream in streams {
            if let place = ledger.place(of: stream) { ledger[place].isListedAsPaused = false }
        }
        return streams
    }

    /// Takes slots from streams that only wait for their consumers, where other streams wait for a slot.
    ///
    /// A reader that stands still pauses its own stream and nobody else's: the stream goes on, wherever there is a slot, when it
    /// is granted credit again.
    mutating func parkPaused(at now: Timestamp, into turn: inout Turn) {
        guard counters.queued > 0, !paused.isEmpty else { return }
        for stream in takePaused() {
            guard let place = ledger.place(of: stream), let worker = ledger[place].worker,
                let since = ledger[place].pausedSince
            else { continue }
            guard now - since >= settings.pauseTolerance, costs[worker].leases >= workers[worker].registration.slots,
                models[workers[worker].model].line.count > 0
            else {
                list(place)
                continue
            }
            turn.revoke(workers[worker].peer, stream, ledger[place].accepting)
            if ledger[place].isHedged { dropHedge(place, into: &turn) }
            release(place, from: worker)
            ledger[place].phase = .parked
            counters.parked += 1
        }
    }

    /// Lets a parked stream wait for a slot again, if it may compute now.
    mutating func unpark(_ place: Int) {
        guard ledger[place].phase == .parked, workerLimit(at: place) > ledger[place].next else { return }
        counters.parked -= 1
        enqueue(place)
    }

    // MARK: - Ends

    /// Ends a stream, once and for ever; one that ended already stays as it is.
    ///
    /// - Parameters:
    ///   - place: The stream's place.
    ///   - reason: Why it ends.
    ///   - error: What went wrong.
    ///   - summary: The session as its last worker saw it.
    ///   - now: When it ends.
    ///   - turn: Receives the decisions.
    mutating func end(
        _ place: Int,
        _ reason: FinishReason,
        error: ApusError? = nil,
        summary: SessionSummary? = nil,
        at now: Timestamp,
        into turn: inout Turn
    ) {
        guard !ledger[place].hasEnded else { return }
        if let worker = ledger[place].worker {
            release(place, from: worker)
            if !reason.isSuccess {
                turn.revoke(workers[worker].peer, ledger[place].id, ledger[place].accepting)
            }
            if ledger[place].isHedged { dropHedge(place, into: &turn) }
        }
        let accepted = ledger[place].acceptedAt
        let end = StreamEnd(
            reason: reason,
            error: error,
            usage: Usage(promptTokens: ledger[place].promptTokens, completionTokens: ledger[place].next),
            timings: StreamTimings(
                queueWait: ledger[place].dispatchedAt.map { $0 - accepted },
                firstToken: ledger[place].firstTokenAt.map { $0 - accepted },
                total: now - accepted,
                stages: ledger[place].stages
            ),
            continuity: ledger[place].continuity,
            attempts: Int(ledger[place].epoch.rawValue),
            summary: summary.map { completed($0, of: place) }
        )
        settleShare(place, reason: reason)
        conclude(place, end, at: now)
        turn.records.append(.ended(ledger[place].id, end, at: now))
        for consumer in ledger[place].consumers { unsettled.append((consumer.client, ledger[place].id)) }
    }

    /// A worker's summary with the attempts that were lost before.
    private func completed(_ summary: SessionSummary, of place: Int) -> SessionSummary {
        var summary = summary
        summary.errors += Int(ledger[place].lost)
        summary.recovered += Int(ledger[place].outlived)
        return summary
    }

    /// Charges the client with what the stream really was, and learns how long answers are.
    private mutating func settleShare(_ place: Int, reason: FinishReason) {
        guard let model = ledger[place].model else { return }
        if reason.isSuccess {
            models[model].output.learned(
                actual: ledger[place].next,
                maximum: ledger[place].request.maximumTokens
            )
        }
        guard ledger[place].isCharged else { return }
        ledger[place].isCharged = false
        models[model].line.settle(
            client: ledger[place].client,
            priority: ledger[place].request.priority,
            weight: ledger[place].weight,
            predicted: ledger[place].work,
            actual: ledger[place].prefillEstimate
        )
    }

    /// Notes an end in the ledger; the stream is on no worker any more.
    mutating func conclude(_ place: Int, _ end: StreamEnd, at now: Timestamp) {
        leaveWaiting(place)
        switch end.reason {
        case .stop, .length: counters.completed += 1
        case .cancelled: counters.cancelled += 1
        case .failed, .expired: counters.failed += 1
        }
        ledger[place].phase = .ended
        ledger[place].end = end
        counters.promptBytes -= ledger[place].request.bulkBytes
        ledger[place].request.removeBulk()
        guard let first = ledger.place(of: ledger[place].firstStream) else { return }
        ledger[first].unended -= 1
        guard ledger[first].unended == 0 else { return }
        // A job is kept and forgotten as a whole.
        var tokens = 0
        for place in siblings(of: first) { tokens += ledger[place].next }
        let (stream, choices) = (ledger[first].id, Int(ledger[first].choices))
        if settings.recallsEnded, ledger[first].request.durability == .none {
            retainedVolatile.append(stream, streams: choices, endedAt: now, tokens: tokens)
        } else {
            retained.append(stream, streams: choices, endedAt: now, tokens: tokens)
        }
    }

    /// Takes a stream out of wherever it waits.
    private mutating func leaveWaiting(_ place: Int) {
        let phase = ledger[place].phase
        if phase == .parked { counters.parked -= 1 }
        guard phase.isWaiting else { return }
        counters.queued -= 1
        if phase == .queued, let model = ledger[place].model { models[model].line.remove(ledger[place].waiting) }
        if ledger[place].epoch == .none {
            admission.removed(ledger[place].waiting)
        }
    }
}
