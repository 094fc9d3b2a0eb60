public import ApusCore
public import ApusModel

/// Drives an engine: streams join, move by steps and leave, and every token they get is kept until it is acknowledged.
///
/// Continuous batching: between any two steps streams may start, end or be revoked; the `StepPlanner` says who moves, the
/// `BatchController` how many. The same request and history give the same tokens in every pipeline over an engine of the
/// same fingerprint, whatever runs beside them.
///
/// Length: a prompt that fills the context fails with `promptTooLong`. One that leaves fewer tokens than `max_tokens` is
/// served and ends by `length` when prompt and output together fill the context.
///
/// Failure: where a batched pass fails, its rows are tried one by one, and only those that fail alone end.
///
/// Isolation: belongs, like its engine, to one thread; it takes no lock and starts nothing.
public struct Pipeline {
    /// Attempts that may be present for each slot: waiting, running, and ended but not acknowledged.
    private static let attemptsPerSlot = 4

    /// The driven engine's description.
    public let description: EngineDescription

    private let engine: any InferenceEngine
    private let clock: () -> Timestamp
    private let passCompleted: () -> Void

    private var controller: BatchController
    private var planner: StepPlanner
    private var forecast = StepForecast()
    private var plan = StepPlan()
    /// The attempts by key. Not optional: their fields are read and changed in place, never by copy of the whole.
    private var attempts: [Attempt] = []
    private var vacantKeys: [Int] = []
    private var keys: [StreamID: Int] = [:]
    private var running = 0
    /// Ends that came outside a step.
    private var pendingEnds: [AttemptEnd] = []
    // Buffers of `decode`, reused from step to step.
    private var rows: [DecodeRow] = []
    private var drawn: [TokenID] = []

    /// Takes an engine over.
    ///
    /// - Parameters:
    ///   - engine: The engine; from now on the pipeline alone calls it.
    ///   - batch: The batch controller's settings.
    ///   - clock: A monotonic clock, for measuring.
    ///   - passCompleted: Called after each forward pass: the sign of life of a long step.
    public init(
        engine: any InferenceEngine,
        batch: BatchController.Settings = BatchController.Settings(),
        clock: @escaping () -> Timestamp,
        passCompleted: @escaping () -> Void = {}
    ) {
        self.engine = engine
        self.clock = clock
        self.passCompleted = passCompleted
        description = engine.description
        controller = BatchController(settings: batch, acceleratorMemoryMB: description.acceleratorMemoryMB)
        planner = StepPlanner(
            slots: description.slots,
            prefillChunk: description.prefillChunk,
            replayChunk: description.replayChunk,
            prefillBudget: description.prefillBudget
        )
    }

    /// Takes an engine over and measures with the process's monotonic clock.
    public init(engine: any InferenceEngine, batch: BatchController.Settings = BatchController.Settings()) {
        self.init(engine: engine, batch: batch, clock: MonotonicClock.now)
    }

    // MARK: State

    /// The number of slots in use.
    public var seated: Int { planner.seated }

    /// The number of attempts that have not ended.
    public var unfinished: Int { running }

    /// The number of attempts that have not ended or whose end is not acknowledged.
    public var present: Int { keys.count }

    /// How many streams may share a step now.
    public var batchLimit: Int { controller.limit }

    /// Every attempt that is present, by stream.
    public var held: [HeldAttempt] {
        attempts.filter(\.isPresent).map(\.held).sorted { $0.stream < $1.stream }
    }

    // MARK: Inputs

    /// Starts an attempt. One of a lower epoch of the same stream is replaced; for the present epoch or a lower one
    /// nothing happens.
    ///
    /// What can't be started ends with the next step: a bad prompt with the engine's error, more attempts than four a slot
    /// with `overloaded`.
    public mutating func start(_ assignment: Assignment) {
        if let key = keys[assignment.stream] {
            guard attempts[key].epoch < assignment.epoch else { return }
            forget(key)
        }
        guard keys.count < description.slots * Self.attemptsPerSlot else {
            let error = ApusError(.overloaded, "the worker holds \(keys.count) attempts already")
            return refuse(stream: assignment.stream, epoch: assignment.epoch, error: error)
        }
        let prompt: [TokenID]
        do {
            prompt = try engine.tokenize(assignment.request)
        } catch {
            return refuse(stream: assignment.stream, epoch: assignment.epoch, error: error)
        }
        admit(assignment, prompt: prompt)
    }

    /// Ends, with the next step, an attempt that can't be started.
    ///
    /// Nobody waits for the acknowledgement of such an end; where it is lost, the attempt is given to somebody again.
    public mutating func refuse(stream: StreamID, epoch: Epoch, error: ApusError, promptTokens: Int = 0) {
        pendingEnds.append(
            AttemptEnd(stream: stream, epoch: epoch, reason: .failed, error: error, promptTokens: promptTokens)
        )
    }

    /// Ends an attempt, or one of a lower epoch of the same stream, without a word; its tokens are forgotten.
    public mutating func revoke(stream: StreamID, epoch: Epoch) {
        guard let key = keys[stream], attempts[key].epoch <= epoch else { return }
        forget(key)
    }

    /// Forgets a stream's tokens before `through`, and the whole attempt where that covers its end; raises its limit.
    public mutating func acknowledge(stream: StreamID, through: Int, limit: Int) {
        guard let key = keys[stream] else { return }
        attempts[key].unacknowledged.acknowledge(through: through)
        if attempts[key].end == nil {
            planner.grant(key: key, limit: limit)
        } else if through >= attempts[key].unacknowledged.endIndex {
            forget(key)
        }
    }

    /// Forgets every attempt that is not in the list.
    public mutating func keep(only list: [(stream: StreamID, epoch: Epoch)]) {
        let kept = Dictionary(list.map { ($0.stream, $0.epoch) }, uniquingKeysWith: max)
        for key in attempts.indices where attempts[key].isPresent {
            if kept[attempts[key].stream] != attempts[key].epoch { forget(key) }
        }
    }

    /// Changes the batch controller's bounds; `nil` leaves one as it is.
    public mutating func configure(minimum: Int?, maximum: Int?) {
        controller.configure(minimum: minimum, maximum: maximum)
    }

    /// Halves the batch because memory runs short; returns whether that changed it.
    public mutating func memoryPressureNoticed() -> Bool {
        controller.memoryPressureNoticed()
    }

    /// Every token and end that is not acknowledged, stream by stream.
    public func unacknowledged() -> StepResult {
        var result = StepResult()
        for held in held {
            guard let key = keys[held.stream] else { continue }
            let attempt = attempts[key]
            attempt.unacknowledged.write(stream: attempt.stream, epoch: attempt.epoch, to: &result.tokens)
            if let end = attempt.end { result.ends.append(end) }
        }
        return result
    }

    // MARK: Steps

    /// Plans the next step.
    ///
    /// - Returns: The time that it is expected to take; `nil` where there is nothing to do.
    public mutating func prepare() -> Duration? {
        planner.plan(batchLimit: controller.limit, into: &plan)
        return plan.isEmpty && pendingEnds.isEmpty ? nil : forecast.time(of: plan)
    }

    /// Runs the step that `prepare` planned; no input may come between the two.
    ///
    /// - Parameter result: Receives what the step brought; its former content is replaced.
    public mutating func perform(into result: inout StepResult) {
        result.removeAll()
        swap(&result.ends, &pendingEnds)
        let began = clock()
        seat()
        runChunks(into: &result)
        runRows(into: &result)
        result.stepTime = clock() - began
    }

    /// Plans and runs a step.
    ///
    /// - Returns: Whether there was anything to do.
    public mutating func step(into result: inout StepResult) -> Bool {
        guard prepare() != nil else {
            result.removeAll()
            return false
        }
        perform(into: &result)
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
                guard let index = chunk.drawing else { continue }
                guard let token else {
                    throw ApusError(.engineFailure, "the engine drew no token after the prompt")
                }
                result.prefillTimes.append(.nanoseconds(now.nanoseconds - attempts[chunk.key].prefillBegan))
                emit(token, index: index, key: chunk.key, now: now.nanoseconds, into: &result)
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
        // Local copies of the buffers keep the loop free of exclusivity checks against `self`.
        let (steps, tokens) = (plan.rows, drawn)
        var common = IntervalCounter()
        for (row, token) in zip(steps, tokens) {
            common.note(now.nanoseconds - attempts[row.key].lastTokenCame, in: &result.intervals)
            emit(token, index: row.index, key: row.key, now: now.nanoseconds, into: &result)
        }
        common.finish(in: &result.intervals)
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
                emit(token, index: row.index, key: row.key, now: clock().nanoseconds, into: &result)
            } catch {
                fail(row.key, error, into: &result)
            }
        }
    }

    private mutating func rowsMeasured(count: Int, time: Duration) {
        forecast.decodeMeasured(time)
        let nanoseconds = max(1, time.nanoseconds)
        controller.batchMeasured(latency: time, throughput: Double(count) * 1e9 / Double(nanoseconds))
    }

    // MARK: Attempts

    private mutating func emit(
        _ token: TokenID,
        index: Int,
        key: Int,
        now: Int64,
        into result: inout StepResult
    ) {
        let start = result.tokens.text.count
        engine.appendText(of: token, to: &result.tokens.text)
        let ends = engine.endsGeneration(token)
        let reason = attempts[key].take(token, endsGeneration: ends, now: now, text: &result.tokens.text, from: start)
        result.tokens.streams.append(attempts[key].stream.rawValue)
        result.tokens.epochs.append(attempts[key].epoch.rawValue)
        result.tokens.firstIndexes.append(UInt64(index))
        result.tokens.counts.append(1)
        result.tokens.ids.append(token.rawValue)
        result.tokens.textLengths.append(UInt32(result.tokens.text.count - start))
        if let reason { finish(key, reason, into: &result.ends) }
    }

    private mutating func admit(_ assignment: Assignment, prompt: [TokenID]) {
        guard prompt.count < description.contextTokens else {
            let message = "the prompt has \(prompt.count) tokens; the context takes \(description.contextTokens)"
            return refuse(
                stream: assignment.stream,
                epoch: assignment.epoch,
                error: ApusError(.promptTooLong, message),
                promptTokens: prompt.count
            )
        }
        var handler = ResponseHandler(
            request: assignment.request,
            maximumTokens: min(assignment.request.maximumTokens, description.contextTokens - prompt.count)
        )
        var reason: FinishReason?
        var text: [UInt8] = []
        for token in assignment.history where reason == nil {
            text.removeAll(keepingCapacity: true)
            engine.appendText(of: token, to: &text)
            reason = handler.accept(endsGeneration: engine.endsGeneration(token), text: &text, from: 0)
        }
        let key = vacantKeys.popLast() ?? attempts.count
        if key == attempts.count { attempts.append(.vacant) }
        keys[assignment.stream] = key
        attempts[key] = Attempt(
            isPresent: true,
            stream: assignment.stream,
            epoch: assignment.epoch,
            request: assignment.request,
            prompt: prompt,
            history: assignment.history,
            promptTokens: prompt.count,
            handler: handler,
            unacknowledged: ResendBuffer(firstIndex: assignment.history.count)
        )
        running += 1
        planner.arrive(
            key: key,
            promptTokens: prompt.count,
            historyTokens: assignment.history.count,
            limit: assignment.limit
        )
        // Every token was released before the last worker died; only the end is missing.
        if let reason {
            var ends: [AttemptEnd] = []
            finish(key, reason, into: &ends)
            pendingEnds += ends
        }
    }

    private mutating func fail(_ key: Int, _ error: any Error, into result: inout StepResult) {
        let failure = error as? ApusError ?? ApusError(.engineFailure, "\(error)")
        finish(key, .failed, error: failure, into: &result.ends)
    }

    /// Ends an attempt and gives its slot back; it stays present until its end is acknowledged.
    private mutating func finish(
        _ key: Int,
        _ reason: FinishReason,
        error: ApusError? = nil,
        into ends: inout [AttemptEnd]
    ) {
        let end = AttemptEnd(
            stream: attempts[key].stream,
            epoch: attempts[key].epoch,
            reason: reason,
            error: error,
            promptTokens: attempts[key].promptTokens
        )
        if let slot = planner.leave(key: key) { engine.vacate(slot: slot) }
        running -= 1
        attempts[key].end = end
        attempts[key].prompt = []
        attempts[key].history = []
        ends.append(end)
    }

    private mutating func forget(_ key: Int) {
        if attempts[key].end == nil {
            if let slot = planner.leave(key: key) { engine.vacate(slot: slot) }
            running -= 1
        }
        keys[attempts[key].stream] = nil
        attempts[key] = .vacant
        vacantKeys.append(key)
    }
}
