public import ApusModel

/// A client's connection, as the transport names it; a client that reconnects is another peer.
public struct ClientPeer: Hashable, Sendable {
    /// The transport's name for the connection.
    public let rawValue: UInt64

    /// Wraps the transport's name.
    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }
}

/// A worker's connection, as the transport names it; a worker that reconnects is another peer.
public struct WorkerPeer: Hashable, Sendable {
    /// The transport's name for the connection.
    public let rawValue: UInt64

    /// Wraps the transport's name.
    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }
}

/// What a worker says of itself when it registers.
public struct WorkerRegistration: Hashable, Sendable {
    /// The worker's name.
    public var name: WorkerName

    /// The life of its process.
    public var incarnation: Incarnation

    /// The model that it serves.
    public var model: ModelName

    /// Sequences that it runs beside each other, 1 or more.
    public var slots: Int

    /// Tokens that fit into a slot.
    public var contextTokens: Int

    /// Equal fingerprints compute equal bits.
    public var fingerprint: Fingerprint

    /// What its own probe showed.
    public var exactness: ExactnessClass

    /// Its kind of engine.
    public var engine: String

    /// Its process number on its host.
    public var processID: UInt32

    /// Its host's name.
    public var host: String

    /// Describes a worker.
    public init(
        name: WorkerName,
        incarnation: Incarnation,
        model: ModelName,
        slots: Int,
        contextTokens: Int,
        fingerprint: Fingerprint,
        exactness: ExactnessClass,
        engine: String,
        processID: UInt32,
        host: String
    ) {
        self.name = name
        self.incarnation = incarnation
        self.model = model
        self.slots = slots
        self.contextTokens = contextTokens
        self.fingerprint = fingerprint
        self.exactness = exactness
        self.engine = engine
        self.processID = processID
        self.host = host
    }
}

/// What a worker reports of its load with every step.
public struct WorkerLoad: Hashable, Sendable {
    /// Slots in use.
    public var active = 0

    /// Streams in the last step.
    public var batchSize = 0

    /// The batch controller's present limit.
    public var batchLimit = 0

    /// The expected time of a step.
    public var stepTime: Duration = .zero

    /// Tokens of prompts and histories that the engine has computed since its process began; cached ones do not count.
    public var prefilledTokens: UInt64 = 0

    /// Whether it takes no new work now, for lack of memory.
    public var isRefusing = false

    /// The process's resident memory in bytes.
    public var memoryBytes: UInt64 = 0

    /// No load.
    public init() {}
}

/// An attempt that a worker holds, and the index of the next token that it would send.
public struct HeldAttempt: Hashable, Sendable {
    /// The attempt's stream.
    public var stream: StreamID

    /// The attempt's number.
    public var epoch: Epoch

    /// The index that comes next.
    public var next: Int

    /// Describes an attempt.
    public init(stream: StreamID, epoch: Epoch, next: Int) {
        self.stream = stream
        self.epoch = epoch
        self.next = next
    }
}

/// The end of an attempt, as its worker reports it.
public struct AttemptEnd: Hashable, Sendable {
    /// The attempt's stream.
    public var stream: StreamID

    /// The attempt's number.
    public var epoch: Epoch

    /// Why it ended: `stop`, `length` or `failed`.
    public var reason: FinishReason

    /// What went wrong, where `reason` is `failed`.
    public var error: ApusError?

    /// Tokens of the prompt.
    public var promptTokens: Int

    /// The index after the stream's last token, or `nil` where the worker does not tell.
    ///
    /// An end that is not at the stream's next index is no end: tokens are missing.
    public var endIndex: Int?

    /// The session as the worker saw it; `nil` where the attempt never began.
    public var summary: SessionSummary?

    /// Describes an end.
    public init(
        stream: StreamID,
        epoch: Epoch,
        reason: FinishReason,
        error: ApusError? = nil,
        promptTokens: Int,
        endIndex: Int? = nil,
        summary: SessionSummary? = nil
    ) {
        self.endIndex = endIndex
        self.summary = summary
        self.stream = stream
        self.epoch = epoch
        self.reason = reason
        self.error = error
        self.promptTokens = promptTokens
    }
}

/// What a worker measured until an attempt's first token.
public struct FirstTokenReport: Hashable, Sendable {
    /// The attempt's stream.
    public var stream: StreamID

    /// The attempt's number.
    public var epoch: Epoch

    /// Where the time went.
    public var stages: FirstTokenStages

    /// Describes an attempt's beginning.
    public init(stream: StreamID, epoch: Epoch, stages: FirstTokenStages) {
        self.stream = stream
        self.epoch = epoch
        self.stages = stages
    }
}

/// One message of a worker: an engine step, or a progress beat without tokens.
public struct StepReport: Hashable, Sendable {
    /// Engine steps so far.
    public var progress: UInt64

    /// Whether there is work to do.
    public var isBusy: Bool

    /// The worker's load.
    public var load: WorkerLoad

    /// The tokens of the step; the columns are valid and carry epochs.
    public var tokens: TokenColumns

    /// Attempts that ended with the step.
    public var ends: [AttemptEnd]

    /// Of the attempts whose first token is among `tokens`.
    public var firstTokens: [FirstTokenReport]

    /// Blocks of prompts whose computed state the worker keeps from now on, as `PrefixBlocks` names them.
    public var cachedBlocks: [UInt64]

    /// Blocks that it keeps no longer.
    public var evictedBlocks: [UInt64]

    /// Describes a step.
    public init(
        progress: UInt64,
        isBusy: Bool,
        load: WorkerLoad = WorkerLoad(),
        tokens: TokenColumns = TokenColumns(),
        ends: [AttemptEnd] = [],
        firstTokens: [FirstTokenReport] = [],
        cachedBlocks: [UInt64] = [],
        evictedBlocks: [UInt64] = []
    ) {
        self.progress = progress
        self.isBusy = isBusy
        self.load = load
        self.tokens = tokens
        self.ends = ends
        self.firstTokens = firstTokens
        self.cachedBlocks = cachedBlocks
        self.evictedBlocks = evictedBlocks
    }
}
