/// Why a stream ended; the raw value is the name on the wire and in JSON.
public enum FinishReason: String, Sendable, CaseIterable {
    /// The model ended its answer, or a stop string came.
    case stop
    /// `max_tokens` is reached.
    case length
    /// The client cancelled.
    case cancelled
    /// The stream could not be completed; an error says why.
    case failed
    /// The job's deadline passed.
    case expired

    /// Whether the stream ended as its request says.
    public var isSuccess: Bool { self == .stop || self == .length }
}

/// How a stream was continued after it lost a worker, from best to worst; the raw value is the name on the wire and in JSON.
public enum Continuity: String, Sendable, CaseIterable {
    /// No worker was lost, or every continuation ran on an equal fingerprint: the bytes are those of the undisturbed run.
    case exact
    /// Continued by token replay on other numerics: no token lost or repeated, later choices may differ.
    case consistent
    /// Continued by text replay at an upstream server.
    case replay
    /// Restarted before its first token.
    case restart
    /// Not continued.
    case none
}

/// Whether a worker proved, when it registered, that its own streams can be continued bit for bit.
public enum ExactnessClass: String, Sendable, CaseIterable {
    /// Replay, companions and batch size left every bit of the probe alone.
    case exact
    /// Some probe differed: tokens are kept, bits may change at a continuation.
    case consistent
}

/// Counted tokens of a stream; each released token counts once, whatever the number of attempts.
public struct Usage: Hashable, Sendable {
    /// Tokens of the prompt, template included.
    public var promptTokens: Int

    /// Tokens that were generated.
    public var completionTokens: Int

    /// Describes a stream's usage.
    public init(promptTokens: Int = 0, completionTokens: Int = 0) {
        self.promptTokens = promptTokens
        self.completionTokens = completionTokens
    }

    /// Prompt and generated tokens together.
    public var totalTokens: Int { promptTokens + completionTokens }
}

/// When a stream passed its stations, each measured from acceptance on the coordinator's clock.
public struct StreamTimings: Hashable, Sendable {
    /// To the first dispatch to a worker; `nil` if it was never dispatched.
    public var queueWait: Duration?

    /// To the first token's release; `nil` if there was none.
    public var firstToken: Duration?

    /// To the end.
    public var total: Duration

    /// Where the time to the first token went, by the worker that brought it; `nil` if none told.
    public var stages: FirstTokenStages?

    /// Describes a stream's timings.
    public init(
        queueWait: Duration? = nil,
        firstToken: Duration? = nil,
        total: Duration = .zero,
        stages: FirstTokenStages? = nil
    ) {
        self.queueWait = queueWait
        self.firstToken = firstToken
        self.total = total
        self.stages = stages
    }

    /// The rest of the time to the first token, behind the wait for a worker and the worker's own stages: messages there and
    /// back, and the coordinator's turns; `nil` where the stages are unknown.
    public var transfer: Duration? {
        guard let firstToken, let queueWait, let stages else { return nil }
        return max(.zero, firstToken - queueWait - stages.total)
    }
}

/// What an attempt's worker measured until its first token.
public struct FirstTokenStages: Hashable, Sendable {
    /// Template and tokens.
    public var tokenize: Duration

    /// From the attempt's arrival at the worker to its first pass, without `tokenize`.
    public var dispatch: Duration

    /// From the first pass to the logits of the first token.
    public var prefill: Duration

    /// Drawing it.
    public var sample: Duration

    /// Tokens of the prompt.
    public var promptTokens: Int

    /// Of these, found computed.
    public var cachedTokens: Int

    /// Describes the stages.
    public init(
        tokenize: Duration = .zero,
        dispatch: Duration = .zero,
        prefill: Duration = .zero,
        sample: Duration = .zero,
        promptTokens: Int = 0,
        cachedTokens: Int = 0
    ) {
        self.tokenize = tokenize
        self.dispatch = dispatch
        self.prefill = prefill
        self.sample = sample
        self.promptTokens = promptTokens
        self.cachedTokens = cachedTokens
    }

    /// All of them together.
    public var total: Duration { tokenize + dispatch + prefill + sample }
}

/// How a stream ended: exactly one per stream, once and for ever.
public struct StreamEnd: Hashable, Sendable {
    /// Why it ended.
    public var reason: FinishReason

    /// What went wrong, where `reason` is `failed` or `expired`.
    public var error: ApusError?

    /// What it used.
    public var usage: Usage

    /// When it passed its stations.
    public var timings: StreamTimings

    /// How it was continued.
    public var continuity: Continuity

    /// How many attempts it took; 1 is undisturbed, 0 never dispatched.
    public var attempts: Int

    /// The session as its last worker saw it; `nil` where no worker came to tell.
    public var summary: SessionSummary?

    /// Describes an end.
    public init(
        reason: FinishReason,
        error: ApusError? = nil,
        usage: Usage = Usage(),
        timings: StreamTimings = StreamTimings(),
        continuity: Continuity = .exact,
        attempts: Int = 0,
        summary: SessionSummary? = nil
    ) {
        self.reason = reason
        self.error = error
        self.usage = usage
        self.timings = timings
        self.continuity = continuity
        self.attempts = attempts
        self.summary = summary
    }
}

extension Continuity: Comparable {
    /// From what a client can't notice to what it must.
    private var rank: Int {
        switch self {
        case .exact: 0
        case .restart: 1
        case .consistent: 2
        case .replay: 3
        case .none: 4
        }
    }

    /// Orders by what a client can notice; the worst of a stream's continuations is reported.
    public static func < (left: Continuity, right: Continuity) -> Bool { left.rank < right.rank }
}
