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

    let engine: any InferenceEngine
    let clock: () -> Timestamp
    let passCompleted: () -> Void

    var controller: BatchController
    var planner: StepPlanner
    var forecast: StepForecast
    var plan = StepPlan()
    // Not optional: an attempt's fields are read and changed in place, never by copy of the whole.
    /// The attempts by key.
    var attempts: [Attempt] = []
    var vacantKeys: [Int] = []
    var keys: [StreamID: Int] = [:]
    var running = 0
    /// Keys of attempts with tokens that nobody has taken; some may have none left.
    var untaken: [Int] = []
    /// Tokens that nobody has taken, at most.
    public internal(set) var untakenTokens = 0
    /// Tokens of prompts and histories that the engine has computed so far; those of a pass that failed do not count.
    public internal(set) var prefilledTokens: UInt64 = 0
    /// Ends that came outside a step.
    var pendingEnds: [AttemptEnd] = []
    // Buffers of `decode`, reused from step to step.
    var rows: [DecodeRow] = []
    var drawn: [TokenID] = []

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
        forecast = StepForecast(
            chunkTokens: description.prefillChunk,
            prefillTime: description.prefillTime,
            stepTime: description.stepTime
        )
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

    /// Starts an attempt.
    ///
    /// One of a lower epoch of the same stream is replaced; for the present epoch or a lower one nothing happens. What can't
    /// be started ends with the next step: a bad prompt with the engine's error, more attempts than four a slot with
    /// `overloaded`.
    public mutating func start(_ assignment: Assignment) {
        if let key = keys[assignment.stream] {
            guard attempts[key].epoch < assignment.epoch else { return }
            forget(key)
        }
        guard keys.count < description.slots * Self.attemptsPerSlot else {
            let error = ApusError(.overloaded, "the worker holds \(keys.count) attempts already")
            return refuse(assignment, error: error)
        }
        let prompt: [TokenID]
        do {
            prompt = try engine.tokenize(assignment.request)
        } catch {
            return refuse(assignment, error: error)
        }
        admit(assignment, prompt: prompt)
    }

    /// Ends, with the next step, an attempt that can't be started.
    ///
    /// Nobody waits for the acknowledgement of such an end; where it is lost, the attempt is given to somebody again.
    ///
    /// - Parameters:
    ///   - stream: The attempt's stream.
    ///   - epoch: The attempt's number.
    ///   - next: The index that it should have gone on from.
    ///   - error: Why it can't.
    ///   - promptTokens: Tokens of its prompt, where they are known.
    public mutating func refuse(stream: StreamID, epoch: Epoch, next: Int, error: ApusError, promptTokens: Int = 0) {
        pendingEnds.append(
            AttemptEnd(
                stream: stream,
                epoch: epoch,
                reason: .failed,
                error: error,
                promptTokens: promptTokens,
                endIndex: next
            )
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

    // MARK: Tokens

    /// Takes the tokens of the steps since the last call, a row a stream.
    ///
    /// Tokens of attempts that were revoked meanwhile are not among them.
    ///
    /// - Parameter columns: Receives the rows, behind what it holds.
    public mutating func takeTokens(into columns: inout TokenColumns) {
        for key in untaken {
            attempts[key].unacknowledged.take(
                stream: attempts[key].stream,
                epoch: attempts[key].epoch,
                into: &columns
            )
        }
        untaken.removeAll(keepingCapacity: true)
        untakenTokens = 0
    }

    /// Takes every token and end that is not acknowledged, stream by stream, whether they have been taken before or not.
    public mutating func unacknowledged() -> StepResult {
        var result = StepResult()
        untaken.removeAll(keepingCapacity: true)
        for held in held {
            guard let key = keys[held.stream] else { continue }
            attempts[key].unacknowledged.rewind()
            untaken.append(key)
            if let end = attempts[key].end { result.ends.append(end) }
        }
        takeTokens(into: &result.tokens)
        return result
    }
}
