public import ApusCore
public import ApusModel
import DequeModule

/// Drives an engine: streams join, move by steps and leave, and every token they get is kept until it is acknowledged.
///
/// Continuous batching: between any two steps streams may start, end or be revoked; the `StepPlanner` says who moves, the
/// `BatchController` how many. A step is one forward pass. The same request and history give the same tokens in every
/// pipeline over an engine of the same fingerprint, whatever runs beside them.
///
/// Length: a prompt that fills the context fails with `promptTooLong`. One that leaves fewer tokens than `max_tokens` is
/// served and ends by `length` when prompt and output together fill the context.
///
/// Failure: a draw that fails ends its own stream. Where a whole pass fails, its rows are tried one by one, each twice, and
/// only those that fail alone end.
///
/// Isolation: belongs, like its engine, to one thread; it takes no lock and starts nothing.
public struct Pipeline {
    /// Attempts that may be present for each slot: waiting, running, and ended but not acknowledged.
    private static let attemptsPerSlot = 4

    /// No stream has so many tokens: what a peer grants beyond is no more than that.
    static let highestLimit = 1 << 40

    /// The driven engine's description.
    public let description: EngineDescription

    let engine: any InferenceEngine
    let clock: () -> Timestamp
    let passCompleted: () -> Void

    var controller: BatchController
    var planner: StepPlanner
    var forecast: StepForecast
    var pace: PrefillPace
    var plan = StepPlan()
    // Not optional: an attempt's fields are read and changed in place, never by copy of the whole.
    /// The attempts by key.
    var attempts: [Attempt] = []
    var vacantKeys: [Int] = []
    var keys: [StreamID: Int] = [:]
    var running = 0
    /// Of these, how many have a wish of their own for the time between tokens.
    var wishes = 0
    /// Guesses in the planned pass.
    var guesses = 0
    /// The time of the last batched pass.
    var decodeTime = Duration.zero
    /// Keys of attempts with tokens that nobody has taken; some may have none left.
    var untaken: [Int] = []
    /// Tokens that nobody has taken, at most.
    public internal(set) var untakenTokens = 0
    /// What was counted since the pipeline began.
    public internal(set) var counters = PipelineCounters()
    /// Ends that came outside a step.
    var pendingEnds: [AttemptEnd] = []
    /// When tokens that wait for their group are due; `nil`: none wait.
    public internal(set) var deliveryDue: Timestamp?
    var lookahead = LookaheadWindow()
    /// What `lookahead` allowed in the last step.
    var lookaheadAllowance = 0
    var prefixes: PrefixCache
    /// Streams that wait for another to compute the beginning of their prompts, and the latest that got a slot.
    var heldKeys: [Int] = []
    var seatedKeys: Deque<Int> = []
    var speculation: SpeculationPolicy
    var memory = MemoryLevel.normal
    /// What the process held when it was last measured.
    var memoryBytes: UInt64 = 0
    // Buffers of the passes, reused from step to step.
    var pass = Pass(kind: .drawn)
    var outcome = PassOutcome()
    var draft: [TokenID] = []
    /// The length of the match that `draft` rests on.
    var draftMatch = 0
    /// Chunks since the last batched pass.
    var chunkTokens = 0
    var chunkTime = Duration.zero

    /// Takes an engine over.
    ///
    /// - Parameters:
    ///   - engine: The engine; from now on the pipeline alone calls it.
    ///   - batch: The batch controller's settings.
    ///   - prefixCacheBytes: Bytes that kept beginnings of prompts may take; 0 keeps none.
    ///   - clock: A monotonic clock, for measuring.
    ///   - passCompleted: Called after each forward pass: the sign of life of a long step.
    public init(
        engine: any InferenceEngine,
        batch: BatchController.Settings = BatchController.Settings(),
        prefixCacheBytes: Int = 0,
        clock: @escaping () -> Timestamp,
        passCompleted: @escaping () -> Void = {}
    ) {
        self.engine = engine
        self.clock = clock
        self.passCompleted = passCompleted
        description = engine.description
        controller = BatchController(
            settings: batch,
            acceleratorMemoryMB: description.acceleratorMemoryMB,
            stepTime: description.stepTime
        )
        forecast = StepForecast(
            chunkTokens: description.prefillChunk,
            prefillTime: description.prefillTime,
            stepTime: description.stepTime
        )
        prefixes = PrefixCache(quantum: description.prefillQuantum, capacity: prefixCacheBytes)
        speculation = SpeculationPolicy(widths: description.draftWidths)
        pace = PrefillPace(chunkTokens: description.prefillChunk, chunkTime: description.prefillTime)
        planner = StepPlanner(
            slots: description.slots,
            quantum: description.prefillQuantum,
            prefillChunk: description.prefillChunk,
            replayChunk: description.replayChunk
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
            silence(key)
        }
        guard keys.count < description.slots * Self.attemptsPerSlot else {
            let error = ApusError(.overloaded, "the worker holds \(keys.count) attempts already")
            return refuse(assignment, error: error)
        }
        let arrived = clock()
        let prompt: [TokenID]
        do {
            prompt = try engine.tokenize(assignment.request)
        } catch {
            return refuse(assignment, error: error)
        }
        admit(assignment, prompt: prompt, arrived: arrived)
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
        silence(key)
    }

    /// Forgets a stream's tokens before `through`, and the whole attempt where that covers its end; raises its limit.
    public mutating func acknowledge(stream: StreamID, through: Int, limit: Int) {
        guard let key = keys[stream] else { return }
        attempts[key].unacknowledged.acknowledge(through: through)
        grant(key, limit: limit)
        if attempts[key].end != nil, through >= attempts[key].unacknowledged.endIndex { forget(key) }
    }

    /// Forgets every attempt that is not in the list.
    public mutating func keep(only list: [(stream: StreamID, epoch: Epoch)]) {
        let kept = Dictionary(list.map { ($0.stream, $0.epoch) }, uniquingKeysWith: max)
        for key in attempts.indices where attempts[key].isPresent {
            if kept[attempts[key].stream] != attempts[key].epoch { silence(key) }
        }
    }

    /// Changes how the batch is chosen, within the slots that there are.
    public mutating func configure(_ settings: WorkerSettings) {
        controller.configure(
            minimum: settings.batchMinimum.map { min($0, description.slots) },
            maximum: settings.batchMaximum.map { min($0, description.slots) },
            policy: settings.policy,
            target: settings.interTokenTarget
        )
        if let stability = settings.networkStability { controller.networkMeasured(stability: stability) }
    }

    /// Gives up, or takes back, what memory is short of.
    ///
    /// - Parameters:
    ///   - effects: What the memory policy decided.
    ///   - level: How short memory is now.
    package mutating func memoryChanged(_ effects: [MemoryEffect], level: MemoryLevel) {
        memory = level
        for effect in effects {
            switch effect {
            case .halveBatch: _ = controller.memoryPressureNoticed()
            case .easeBatch: controller.memoryPressureEased()
            case .dropPrefixCache: prefixes.removeAll()
            case .report, .refuseWork, .acceptWork: break
            }
        }
    }

    /// Takes the text blocks whose computed state is kept from now on, and those whose is kept no longer.
    public mutating func takeChangedBlocks() -> (cached: [UInt64], evicted: [UInt64]) {
        prefixes.takeChangedBlocks()
    }

    /// Names every kept text block again, for a coordinator that does not know them.
    public mutating func reportBlocksAgain() { prefixes.reportAgain() }

    /// Bytes that kept beginnings of prompts take.
    public var prefixCacheBytes: Int { prefixes.bytes }

    /// How the batch is chosen.
    public var batchPolicy: BatchPolicy { controller.settings.policy }

    /// Notes the memory that the process holds, for the summaries of the running streams.
    public mutating func memoryMeasured(bytes: UInt64) {
        memoryBytes = bytes
        for key in attempts.indices where attempts[key].isPresent && attempts[key].end == nil {
            attempts[key].meter.peakMemoryBytes = max(attempts[key].meter.peakMemoryBytes, bytes)
        }
    }
}

/// What a pipeline counted since it began.
public struct PipelineCounters: Hashable, Sendable {
    /// Tokens of prompts and histories that the engine has computed; those of a pass that failed do not count.
    public var prefilledTokens: UInt64 = 0

    /// Prompt tokens of the attempts that got a slot.
    public var promptTokens: UInt64 = 0

    /// Of these, found computed.
    public var cachedTokens: UInt64 = 0

    /// Tokens that were computed before their consumer's credit came.
    public var grantedAhead: UInt64 = 0

    /// Tokens that a consumer's credit had been waited for.
    public var granted: UInt64 = 0

    /// Tokens that speculation proposed.
    public var draftedTokens: UInt64 = 0

    /// Of these, confirmed by the model.
    public var acceptedTokens: UInt64 = 0

    /// Failed passes and draws.
    public var errors: UInt64 = 0

    /// Of these, how many their streams outlived.
    public var recovered: UInt64 = 0

    /// Nothing yet.
    public init() {}
}
