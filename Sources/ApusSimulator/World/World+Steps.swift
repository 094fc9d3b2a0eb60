import ApusCore
import ApusModel

/// A worker's steps: what they cost, and what they bring.
extension World {
    /// Begins a step, if there is anything to do.
    mutating func planStep(_ worker: Int) {
        guard workers[worker].isRunning, !workers[worker].isStepping else { return }
        var seats = workers[worker].spec.slots
        let budget = workers[worker].spec.prefillBudget
        var moving = 0
        var prefill = 0
        for place in workers[worker].attempts.indices where !workers[worker].attempts[place].hasEnded {
            guard seats > 0 else { break }
            seats -= 1
            guard workers[worker].attempts[place].canMove else { continue }
            let rest = min(workers[worker].attempts[place].prefill, SimulatedAttempt.chunk)
            let computing = min(rest, budget - prefill)
            // The oldest prompt is computed first; those that find no budget left wait for a later step.
            guard rest == 0 || computing > 0 else { continue }
            workers[worker].attempts[place].computing = computing
            workers[worker].attempts[place].isInStep = true
            moving += 1
            prefill += computing
        }
        guard moving > 0 else {
            if workers[worker].drainingSince != nil, workers[worker].attempts.isEmpty, workers[worker].isEnlisted {
                leave(worker)
            }
            return
        }
        let time =
            (workers[worker].spec.stepTime + workers[worker].spec.streamTime * Int64(moving)
                + workers[worker].spec.prefillTime * Int64(prefill)) * workers[worker].slowness
        workers[worker].isStepping = true
        workers[worker].stepSerial += 1
        workers[worker].batchSize = moving
        workers[worker].stepTime = 3 * time / workers[worker].slowness
        events.insert(.step, at: now + time, place: worker, detail: workers[worker].stepSerial)
    }

    mutating func stepEnds(_ worker: Int, serial: Int) {
        guard workers[worker].isRunning, workers[worker].stepSerial == serial, workers[worker].isStepping else {
            return
        }
        let standsUntil = max(workers[worker].frozenUntil, workers[worker].hungUntil)
        if now < standsUntil {
            events.insert(.step, at: standsUntil, place: worker, detail: serial)
            return
        }
        workers[worker].isStepping = false
        workers[worker].progress += 1
        var tokens = TokenColumns()
        reserve(workers[worker].batchSize, workers[worker].spec.burst, in: &tokens)
        var ends: [AttemptEnd] = []
        for place in workers[worker].attempts.indices where workers[worker].attempts[place].isInStep {
            workers[worker].attempts[place].isInStep = false
            guard advance(place, of: worker, tokens: &tokens, ends: &ends) else { return }
        }
        if workers[worker].isEnlisted, !tokens.isEmpty || !ends.isEmpty {
            var report = report(of: worker)
            swap(&report.tokens, &tokens)
            swap(&report.ends, &ends)
            if workers[worker].isLiar { falsify(&report, of: worker) }
            send(.step(Shared(consume report)), from: worker)
        }
        planStep(worker)
    }

    private func reserve(_ rows: Int, _ burst: Int, in tokens: inout TokenColumns) {
        tokens.streams.reserveCapacity(rows)
        tokens.epochs.reserveCapacity(rows)
        tokens.firstIndexes.reserveCapacity(rows)
        tokens.counts.reserveCapacity(rows)
        tokens.ids.reserveCapacity(rows * burst)
        tokens.textLengths.reserveCapacity(rows * burst)
        tokens.text.reserveCapacity(rows * burst * 2)
    }

    /// Moves one attempt by a step.
    ///
    /// - Returns: Whether the worker survives it.
    private mutating func advance(
        _ place: Int,
        of worker: Int,
        tokens: inout TokenColumns,
        ends: inout [AttemptEnd]
    ) -> Bool {
        var attempt = workers[worker].attempts[place]
        if attempt.prefill > 0 {
            workers[worker].prefilled += UInt64(attempt.computing)
            workers[worker].attempts[place].prefill -= attempt.computing
            if attempt.prefill == attempt.computing {
                workers[worker].keepBlocks(of: configuration.jobs[attempt.job].request)
            }
            return true
        }
        let burst = 1 + workerRandom.below(workers[worker].spec.burst)
        let end = max(attempt.next, min(attempt.next + burst, attempt.limit, attempt.length))
        if let poisoned = configuration.jobs[attempt.job].poisonedIndex, (attempt.next..<end).contains(poisoned) {
            injected(.poisonedJob, "job \(attempt.job) kills \(workers[worker].spec.name) at index \(poisoned)")
            workerDies(worker, restartsAfter: workerRandom.within(50_000_000...500_000_000))
            return false
        }
        append(attempt, attempt.next..<end, of: worker, to: &tokens)
        attempt.next = end
        if attempt.next == attempt.length {
            attempt.hasEnded = true
            ends.append(attempt.end)
        }
        workers[worker].attempts[place] = attempt
        return true
    }

    @inline(__always)
    func append(
        _ attempt: SimulatedAttempt,
        _ range: Range<Int>,
        of worker: Int,
        to columns: inout TokenColumns
    ) {
        guard !range.isEmpty else { return }
        columns.streams.append(attempt.stream.rawValue)
        columns.epochs.append(attempt.epoch.rawValue)
        columns.firstIndexes.append(UInt64(range.lowerBound))
        columns.counts.append(UInt32(range.count))
        let numerics = workers[worker].numerics
        for index in range {
            let token = Truth.token(seed: attempt.seed, index: index, numerics: numerics)
            columns.ids.append(token)
            columns.textLengths.append(UInt32(Truth.textLength(of: token)))
            Truth.appendText(of: token, to: &columns.text)
        }
    }
}
