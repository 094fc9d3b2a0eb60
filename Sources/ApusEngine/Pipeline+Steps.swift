import ApusCore
import ApusModel

extension Pipeline {
    /// Plans the next step.
    ///
    /// - Returns: The time that it may take, three times what is likely; `nil` where there is nothing to do.
    public mutating func prepare() -> Duration? {
        planner.plan(batchLimit: controller.limit, into: &plan)
        guard !plan.isEmpty || !pendingEnds.isEmpty else { return nil }
        return forecast.time(chunks: plan.chunks.count, rows: plan.rows.count)
    }

    /// Runs the step that `prepare` planned; no input may come between the two.
    ///
    /// Its tokens wait for `takeTokens`, so that those of several steps can be taken together.
    ///
    /// - Parameter result: Receives what else the step brought; its former content is replaced.
    public mutating func perform(into result: inout StepResult) {
        result.removeAll()
        swap(&result.ends, &pendingEnds)
        let began = clock()
        seat()
        runChunks(into: &result)
        runRows(into: &result)
        result.stepTime = clock() - began
    }

    /// Plans and runs a step, and takes its tokens.
    ///
    /// - Returns: Whether there was anything to do.
    public mutating func step(into result: inout StepResult) -> Bool {
        guard prepare() != nil else {
            result.removeAll()
            return false
        }
        perform(into: &result)
        takeTokens(into: &result.tokens)
        return true
    }

    private mutating func seat() {
        for seat in plan.seats {
            engine.occupy(
                slot: seat.slot,
                request: attempts[seat.key].request,
                prompt: attempts[seat.key].prompt
            )
        }
    }

    private mutating func runChunks(into result: inout StepResult) {
        for chunk in plan.chunks {
            // An earlier chunk of the same sequence may have failed.
            guard attempts[chunk.key].end == nil else { continue }
            let began = clock()
            if attempts[chunk.key].prefillBegan == 0 { attempts[chunk.key].prefillBegan = began.nanoseconds }
            let promptTokens = attempts[chunk.key].promptTokens
            let (source, offset) =
                chunk.positions.lowerBound < promptTokens
                ? (attempts[chunk.key].prompt, 0) : (attempts[chunk.key].history, promptTokens)
            do {
                let token = try engine.prefill(
                    slot: chunk.slot,
                    tokens: source[(chunk.positions.lowerBound - offset)..<(chunk.positions.upperBound - offset)],
                    position: chunk.positions.lowerBound,
                    drawing: chunk.drawing
                )
                passCompleted()
                let now = clock()
                forecast.chunkMeasured(tokens: chunk.positions.count, time: now - began)
                planner.chunkRun(chunk)
                prefilledTokens += UInt64(chunk.positions.count)
                guard chunk.drawing != nil else { continue }
                guard let token else {
                    throw ApusError(.engineFailure, "the engine drew no token after the prompt")
                }
                result.prefillTimes.append(.nanoseconds(now.nanoseconds - attempts[chunk.key].prefillBegan))
                emit(token, key: chunk.key, now: now.nanoseconds, into: &result)
            } catch {
                fail(chunk.key, error, into: &result)
            }
        }
    }

    private mutating func runRows(into result: inout StepResult) {
        guard !plan.rows.isEmpty else { return }
        rows.removeAll(keepingCapacity: true)
        for row in plan.rows {
            let token = attempts[row.key].lastToken
            rows.append(DecodeRow(slot: row.slot, token: token, position: row.position, index: row.index))
        }
        let began = clock()
        do {
            try engine.decode(rows, into: &drawn)
            guard drawn.count == rows.count else {
                throw ApusError(.engineFailure, "the engine drew \(drawn.count) tokens for \(rows.count) rows")
            }
        } catch {
            return runRowsAlone(after: error, into: &result)
        }
        let now = clock()
        passCompleted()
        rowsMeasured(count: rows.count, time: now - began)
        result.batchSize = rows.count
        planner.rowsRun(plan.rows)
        for (key, reason) in emitRows(now: now.nanoseconds, into: &result) {
            finish(key, reason, into: &result.ends)
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
        swap(&table, &attempts)
        for (place, row) in plan.rows.enumerated() {
            intervals.note(now - table[row.key].lastTokenCame, in: &result.intervals)
            if table[row.key].unacknowledged.isTaken { untaken.append(row.key) }
            if let reason = table[row.key].take(drawn[place], of: engine, now: now) {
                ended.append((row.key, reason))
            }
        }
        intervals.finish(in: &result.intervals)
        swap(&table, &attempts)
        untakenTokens += plan.rows.count
        return ended
    }

    /// A batched pass failed and no row has advanced: each row is tried in a pass of its own.
    private mutating func runRowsAlone(after failure: any Error, into result: inout StepResult) {
        let steps = plan.rows
        let alone = rows
        for (row, request) in zip(steps, alone) {
            if steps.count == 1 {
                fail(row.key, failure, into: &result)
                continue
            }
            do {
                try engine.decode([request], into: &drawn)
                guard let token = drawn.first else {
                    throw ApusError(.engineFailure, "the engine drew no token")
                }
                passCompleted()
                planner.rowsRun([row])
                result.batchSize = 1
                emit(token, key: row.key, now: clock().nanoseconds, into: &result)
            } catch {
                fail(row.key, error, into: &result)
            }
        }
    }

    private mutating func rowsMeasured(count: Int, time: Duration) {
        forecast.decodeMeasured(rows: count, time: time)
        let nanoseconds = max(1, time.nanoseconds)
        controller.batchMeasured(latency: time, throughput: Double(count) * 1e9 / Double(nanoseconds))
    }

    /// Hands one token to its attempt.
    private mutating func emit(_ token: TokenID, key: Int, now: Int64, into result: inout StepResult) {
        if attempts[key].unacknowledged.isTaken { untaken.append(key) }
        let reason = attempts[key].take(token, of: engine, now: now)
        untakenTokens += 1
        if let reason { finish(key, reason, into: &result.ends) }
    }
}
