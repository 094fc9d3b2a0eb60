import ApusCore
import ApusModel

extension Pipeline {
    /// Plans the next step and gives slots to the streams that join it.
    ///
    /// - Returns: The time that it may take, three times what is likely; `nil` where there is nothing to do.
    public mutating func prepare() -> Duration? {
        releaseHeld()
        lookaheadAllowance = lookahead.allowance(othersWait: planner.hasWaiting, memory: memory)
        let limit = controller.decide(tightestTarget: tightestTarget)
        planner.begin(batchLimit: limit, lookahead: lookaheadAllowance, into: &plan)
        for seat in plan.seats { take(seat) }
        let target = min(controller.settings.targetLatency, tightestTarget ?? .seconds(3_600))
        planner.complete(allowance: pace.allowance(decoding: decodeTime, target: target), into: &plan)
        guesses = description.draftWidths.isEmpty ? 0 : guess()
        guard !plan.isEmpty || !pendingEnds.isEmpty else { return nil }
        return forecast.time(chunk: plan.chunk?.positions.count ?? 0, rows: plan.rows.count + guesses)
    }

    /// Runs the step that `prepare` planned; no input may come between the two.
    ///
    /// Its tokens wait for `takeTokens`, so that those of several steps can be taken together.
    ///
    /// - Parameter result: Receives what else the step brought; its former content is replaced.
    public mutating func perform(into result: inout StepResult) {
        result.removeAll()
        let began = clock()
        if let chunk = plan.chunk {
            run(chunk, began: began, into: &result)
        } else if guesses > 0 {
            runGuesses(guesses, began: began, into: &result)
        } else if !plan.rows.isEmpty {
            runRows(began: began, into: &result)
        }
        result.stepTime = clock() - began
        swap(&result.ends, &pendingEnds)
    }

    /// Plans and runs a step, and takes its tokens.
    ///
    /// - Returns: Whether there was anything to do, or to take.
    public mutating func step(into result: inout StepResult) -> Bool {
        guard prepare() != nil else {
            result.removeAll()
            takeTokens(into: &result.tokens)
            return !result.tokens.isEmpty
        }
        perform(into: &result)
        takeTokens(into: &result.tokens)
        return true
    }

    /// The shortest time between tokens that a running stream's job wants kept; `nil` where none has a wish of its own.
    private var tightestTarget: Duration? {
        guard wishes > 0 else { return nil }
        return attempts.lazy.filter { $0.isPresent && $0.end == nil }.compactMap(\.request.interTokenTarget).min()
    }

    private mutating func take(_ seat: StepPlan.Seat) {
        do throws(ApusError) {
            try engine.occupy(
                slot: seat.slot,
                request: attempts[seat.key].request,
                prompt: attempts[seat.key].prompt,
                history: attempts[seat.key].history
            )
            counters.promptTokens += UInt64(attempts[seat.key].promptTokens)
            findBeginning(seat.key, slot: seat.slot)
        } catch {
            planner.leave(key: seat.key)
            fail(seat.key, error)
        }
    }

    // MARK: Chunks

    private mutating func run(_ chunk: StepPlan.Chunk, began: Timestamp, into result: inout StepResult) {
        if attempts[chunk.key].firstPass == 0 { attempts[chunk.key].firstPass = began.nanoseconds }
        pass.removeAll(kind: chunk.isPrompt ? .prompt : .drawn)
        let offset = chunk.isPrompt ? 0 : attempts[chunk.key].promptTokens
        let places = chunk.positions.lowerBound - offset..<chunk.positions.upperBound - offset
        pass.append(
            chunk.isPrompt ? attempts[chunk.key].prompt[places] : attempts[chunk.key].history[places],
            to: chunk.slot,
            at: chunk.positions.lowerBound,
            drawing: chunk.drawing
        )
        guard let failure = runTwice(key: chunk.key) else {
            let now = clock()
            forecast.chunkMeasured(tokens: chunk.positions.count, time: now - began)
            pace.chunkMeasured(tokens: chunk.positions.count, time: now - began)
            // Nobody waits for chunks where no row does.
            if planner.delaysRows {
                chunkTokens += chunk.positions.count
                chunkTime += now - began
            }
            planner.chunkRun(chunk)
            counters.prefilledTokens += UInt64(chunk.positions.count)
            guard chunk.drawing != nil else { return }
            if let failure = outcome.failures.first { return fail(chunk.key, failure.error) }
            prefilled(chunk.key, now: now.nanoseconds, into: &result)
            return
        }
        fail(chunk.key, failure)
    }

    /// Runs the pass of one stream, again if it fails once: memory may be there the second time.
    ///
    /// - Returns: The error of the second failure.
    private mutating func runTwice(key: Int) -> ApusError? {
        for isLast in [false, true] {
            do throws(ApusError) {
                try engine.run(pass, into: &outcome)
                passCompleted()
                if isLast {
                    attempts[key].meter.recovered += 1
                    counters.recovered += 1
                }
                return nil
            } catch {
                guard !isLast else { return error }
                attempts[key].meter.errors += 1
                counters.errors += 1
            }
        }
        return nil
    }

    /// Takes the token after the last chunk, and says where the time until then went.
    private mutating func prefilled(_ key: Int, now: Int64, into result: inout StepResult) {
        guard outcome.tokens.count == 1 else {
            return fail(key, ApusError(.engineFailure, "the engine drew no token after the prompt"))
        }
        let attempt = attempts[key]
        let prefill = now - attempt.firstPass - outcome.drawTime.nanoseconds
        let wait = attempt.firstPass - attempt.arrived - attempt.tokenizeTime.nanoseconds
        result.prefillTimes.append(.nanoseconds(now - attempt.firstPass))
        result.firstTokens.append(
            FirstToken(
                stream: attempt.stream,
                epoch: attempt.epoch,
                stages: FirstTokenStages(
                    tokenize: attempt.tokenizeTime,
                    dispatch: .nanoseconds(max(0, wait)),
                    prefill: .nanoseconds(max(0, prefill)),
                    sample: outcome.drawTime,
                    promptTokens: attempt.promptTokens,
                    cachedTokens: attempt.meter.cachedTokens
                )
            )
        )
        emit(0..<1, key: key, batch: 1, now: now)
    }

    // MARK: Rows

    /// Puts a stream's last token into the pass.
    private mutating func feed(_ row: StepPlan.Row) {
        let token = CollectionOfOne(attempts[row.key].lastToken)
        pass.append(token, to: row.slot, at: row.position, drawing: row.index)
    }

    mutating func runRows(began: Timestamp, into result: inout StepResult) {
        pass.removeAll(kind: .drawn)
        for row in plan.rows {
            feed(row)
        }
        do throws(ApusError) {
            try engine.run(pass, into: &outcome)
        } catch {
            return runRowsAlone(into: &result)
        }
        let now = clock()
        passCompleted()
        result.batchSize = plan.rows.count
        rowsMeasured(time: now - began)
        if outcome.failures.isEmpty {
            planner.rowsRun(plan.rows)
            for (key, reason) in emitRows(now: now.nanoseconds, into: &result) {
                finish(key, reason)
            }
        } else {
            emitSegments(now: now.nanoseconds)
        }
    }

    /// Hands the drawn tokens to their attempts: the path that every token takes.
    ///
    /// What is changed is held in local variables, so that nothing is retained, copied or checked a token.
    ///
    /// - Returns: The keys of the attempts that end, with the reason.
    private mutating func emitRows(now: Int64, into result: inout StepResult) -> [(key: Int, reason: FinishReason)] {
        var ended: [(key: Int, reason: FinishReason)] = []
        var intervals = IntervalCounter()
        var table: [Attempt] = []
        let engine = engine
        let batch = plan.rows.count
        swap(&table, &attempts)
        for (place, row) in plan.rows.enumerated() {
            let interval = now - table[row.key].lastTokenCame
            intervals.note(interval, in: &result.intervals)
            if table[row.key].unacknowledged.isTaken { untaken.append(row.key) }
            let reason = table[row.key].take(
                outcome.tokens[place],
                detail: outcome.detail(of: place),
                of: engine,
                batch: batch,
                interval: interval,
                now: now
            )
            if let reason { ended.append((row.key, reason)) }
        }
        intervals.finish(in: &result.intervals)
        swap(&table, &attempts)
        untakenTokens += plan.rows.count
        return ended
    }

    /// Hands out the tokens of a pass of which some segments failed.
    private mutating func emitSegments(now: Int64) {
        var token = 0
        for (place, row) in plan.rows.enumerated() {
            let count = outcome.counts[place]
            if let failure = outcome.failures.first(where: { $0.segment == place }) {
                fail(row.key, failure.error)
            } else {
                planner.advanced(key: row.key, tokens: count)
                emit(token..<token + count, key: row.key, batch: plan.rows.count, now: now)
            }
            token += count
        }
    }

    /// A batched pass failed and no row has advanced: each row is tried in a pass of its own.
    private mutating func runRowsAlone(into result: inout StepResult) {
        for row in plan.rows {
            attempts[row.key].meter.errors += 1
            counters.errors += 1
        }
        for row in plan.rows {
            pass.removeAll(kind: .drawn)
            feed(row)
            do throws(ApusError) {
                try engine.run(pass, into: &outcome)
                passCompleted()
                if let failure = outcome.failures.first { throw failure.error }
                attempts[row.key].meter.recovered += 1
                counters.recovered += 1
                result.batchSize = 1
                planner.advanced(key: row.key, tokens: outcome.tokens.count)
                emit(outcome.tokens.indices, key: row.key, batch: 1, now: clock().nanoseconds)
            } catch {
                fail(row.key, error)
            }
        }
    }

    private mutating func rowsMeasured(time: Duration) {
        decodeTime = time
        forecast.decodeMeasured(rows: plan.rows.count, time: time)
        // What a stream waits for is the chunks before the pass as well.
        controller.stepMeasured(
            rows: plan.rows.count,
            contextTokens: plan.rows.reduce(0) { $0 + $1.position },
            prefillTokens: chunkTokens,
            latency: time + chunkTime
        )
        chunkTokens = 0
        chunkTime = .zero
        if plan.rows.count == 1 { plainTokenDrawn(plan.rows[0].key, time: time) }
    }

    /// Hands some of the drawn tokens to their attempt, up to its end.
    mutating func emit(_ places: Range<Int>, key: Int, batch: Int, now: Int64) {
        if attempts[key].unacknowledged.isTaken { untaken.append(key) }
        let last = attempts[key].lastTokenCame
        // Tokens of one pass share the time since the one before.
        let interval = last == 0 ? nil : (now - last) / Int64(max(1, places.count))
        for place in places {
            untakenTokens += 1
            let reason = attempts[key].take(
                outcome.tokens[place],
                detail: outcome.detail(of: place),
                of: engine,
                batch: batch,
                interval: interval,
                now: now
            )
            if let reason { return finish(key, reason) }
        }
    }
}
