public import ApusModel

extension CoordinatorMachine {
    /// The journal of a former life holds these tokens; told before the records of the same batch.
    ///
    /// - Parameter tokens: Valid columns with epochs, as they were committed; tokens that are known already change nothing.
    public mutating func replayed(_ tokens: TokenColumns) {
        for row in 0..<tokens.rows {
            guard let place = ledger.place(of: StreamID(rawValue: tokens.streams[row])), !ledger[place].hasEnded else {
                continue
            }
            let end = Int(tokens.firstIndexes[row]) + Int(tokens.counts[row])
            guard end > ledger[place].next else { continue }
            let epoch = Epoch(rawValue: tokens.epochs[row])
            if epoch > ledger[place].accepting { replayedOvertaking(place, by: epoch) }
            ledger[place].next = end
        }
    }

    /// The journal of a former life holds this record; told in the journal's order, before the first turn.
    ///
    /// A record that is known already changes nothing.
    public mutating func replayed(_ record: JournalRecord) {
        switch record {
        case .accepted(let accepted):
            // A number that is not above the last one belongs to a stream that is known, or forgotten.
            guard accepted.stream.rawValue > replayedThrough else { return }
            replayedThrough = accepted.streams.upperBound - 1
            lastStream = replayedThrough
            insert(accepted, work: expectedWork(of: accepted.request, model: nil))
            for stream in accepted.streams {
                guard let place = ledger.place(of: StreamID(rawValue: stream)) else { continue }
                admission.inserted(ledger[place].waiting)
                counters.queued += 1
            }
        case .leased(let lease):
            guard let place = ledger.place(of: lease.stream), !ledger[place].hasEnded,
                lease.epoch > ledger[place].epoch
            else { return }
            replayed(lease, at: place)
        case .ended(let stream, let end, let moment):
            guard let place = ledger.place(of: stream), !ledger[place].hasEnded else { return }
            ledger[place].continuity = end.continuity
            ledger[place].promptTokens = end.usage.promptTokens
            awaitedLeases[stream] = nil
            conclude(place, end, at: moment)
        case .forgotten(let stream):
            guard let place = ledger.place(of: stream), ledger[place].hasEnded else { return }
            drop(place)
        }
    }

    private mutating func replayed(_ lease: LeaseRecord, at place: Int) {
        if ledger[place].epoch == .none {
            admission.removed(ledger[place].waiting)
        }
        if ledger[place].request.durability == .accepted { replayedWithoutTokens(lease, at: place) }
        ledger[place].epoch = lease.epoch
        // It may not go on with another model than it began with.
        ledger[place].request.model = lease.model
        if ledger[place].dispatchedAt == nil { ledger[place].dispatchedAt = lease.leasedAt }
        awaitedLeases[lease.stream, default: []].append(lease)
        if !lease.isHedge { replayedOvertaking(place, by: lease.epoch) }
    }

    /// Nobody knows which of a stream's attempts brought the tokens that clients have: they come again as they were only where all
    /// attempts compute the same.
    private mutating func replayedWithoutTokens(_ lease: LeaseRecord, at place: Int) {
        guard let fingerprint = ledger[place].leaseFingerprint else { return }
        let isEqual =
            fingerprint == lease.fingerprint && lease.exactness == .exact
            && ledger[place].contextTokens <= lease.contextTokens
        if !isEqual { ledger[place].continuity = .none }
    }

    /// From now on the tokens of this attempt counted.
    private mutating func replayedOvertaking(_ place: Int, by epoch: Epoch) {
        let stream = ledger[place].id
        guard let leases = awaitedLeases[stream], let lease = leases.first(where: { $0.epoch == epoch }) else { return }
        awaitedLeases[stream]?.removeAll { $0.epoch < epoch }
        if ledger[place].next > ledger[place].attemptStart {
            ledger[place].fingerprint = ledger[place].leaseFingerprint
        }
        if ledger[place].accepting > .none, ledger[place].request.durability != .accepted {
            let continuity = ledger[place].continuity(
                onFingerprint: lease.fingerprint,
                exactness: lease.exactness,
                contextTokens: lease.contextTokens
            )
            ledger[place].continuity = max(ledger[place].continuity, continuity)
        }
        ledger[place].accepting = epoch
        ledger[place].leaseFingerprint = lease.fingerprint
        ledger[place].contextTokens = max(ledger[place].contextTokens, lease.contextTokens)
        ledger[place].attemptStart = ledger[place].next
        ledger[place].losses = lease.losses
        ledger[place].lossIndex = ledger[place].next
        ledger[place].lost = UInt32(clamping: lease.lost)
        ledger[place].outlived = ledger[place].lost
    }

    /// A former life may have used stream numbers up to this one.
    public mutating func numbersUsed(through number: UInt64) {
        lastStream = max(lastStream, number)
    }

    /// The whole journal is told: streams that ran wait for their workers for a while, the others for a slot.
    ///
    /// - Parameter now: Not earlier than any moment in the journal.
    public mutating func recovered(at now: Timestamp) {
        lastTurn = now
        for place in ledger.newest(.max).reversed() where !ledger[place].hasEnded {
            let stream = ledger[place].id
            if ledger[place].request.durability == .accepted, ledger[place].epoch > .none {
                // No worker can bring what it computed and was told to forget.
                ledger[place].isDerivedAgain = true
                ledger[place].fingerprint = ledger[place].leaseFingerprint
                counters.queued -= 1
                enqueue(place)
            } else if let lease = awaitedLeases[stream]?.first(where: { $0.epoch == ledger[place].accepting }) {
                ledger[place].phase = .awaited
                awaited[lease.worker, default: []].append(stream)
            } else {
                counters.queued -= 1
                enqueue(place)
            }
        }
        awaitedLeases.removeAll()
        awaitedUntil = now + settings.recoveryGrace
    }

    /// A worker registered: attempts that a former coordinator gave to it go on where it still holds them; the others wait
    /// for another slot.
    mutating func adopt(_ held: [HeldAttempt], by worker: Int, at now: Timestamp, into turn: inout Turn) {
        guard let streams = awaited.removeValue(forKey: workers[worker].registration.name) else { return }
        let registration = workers[worker].registration
        let attempts = Dictionary(held.map { ($0.stream, $0) }) { first, _ in first }
        for stream in streams {
            guard let place = ledger.place(of: stream), ledger[place].phase == .awaited else { continue }
            counters.queued -= 1
            // A worker that serves another model now must not take the stream along.
            guard ledger[place].model ?? bindToKnown(place) == workers[worker].model,
                let attempt = attempts[stream], attempt.epoch == ledger[place].accepting,
                attempt.next >= ledger[place].next, costs[worker].leases < registration.slots,
                ledger[place].leaseFingerprint == registration.fingerprint
            else {
                giveUpAwaited(place)
                continue
            }
            ledger[place].phase = .running
            seat(place, on: worker, at: now)
        }
    }

    /// A worker lost its connection and is back: attempts that nobody else has taken over meanwhile go on where they are, and
    /// were not lost.
    mutating func takeUpAgain(_ held: [HeldAttempt], on worker: Int, at now: Timestamp) {
        for attempt in held {
            guard let place = ledger.place(of: attempt.stream),
                ledger[place].recoverableFrom == workers[worker].registration.incarnation,
                ledger[place].phase == .queued || ledger[place].phase == .delayed,
                ledger[place].accepting == attempt.epoch, ledger[place].epoch == attempt.epoch,
                attempt.next >= ledger[place].next, costs[worker].leases < costs[worker].slots,
                ledger[place].leaseFingerprint == workers[worker].registration.fingerprint,
                ledger[place].model == workers[worker].model, !workers[worker].isDraining
            else { continue }
            if ledger[place].phase == .queued { models[workers[worker].model].line.remove(ledger[place].waiting) }
            counters.queued -= 1
            ledger[place].losses = max(0, ledger[place].losses - 1)
            if ledger[place].lost > ledger[place].outlived { ledger[place].lost -= 1 }
            ledger[place].phase = .running
            seat(place, on: worker, at: now)
        }
    }

    /// Lets streams go on elsewhere whose worker did not come back after a restart.
    mutating func endRecovery(at now: Timestamp) {
        guard let until = awaitedUntil, now >= until else { return }
        awaitedUntil = nil
        let streams = awaited.values.flatMap { $0 }.sorted()
        awaited.removeAll()
        for stream in streams {
            guard let place = ledger.place(of: stream), ledger[place].phase == .awaited else { continue }
            counters.queued -= 1
            giveUpAwaited(place)
        }
    }

    private mutating func giveUpAwaited(_ place: Int) {
        if ledger[place].next > ledger[place].attemptStart {
            ledger[place].fingerprint = ledger[place].leaseFingerprint
        }
        enqueue(place)
    }
}
