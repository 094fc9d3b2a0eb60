/// A job's stream as its coordinator knows it, with a stable JSON form like that of `ClusterStatus`.
public struct JobSummary: Hashable, Sendable, Codable {
    /// The job's public name, as `JobID` writes it.
    public var job: String = ""

    /// `queued`, `streaming`, `paused` (waits for its readers without a slot), or the reason why its stream ended.
    public var state: String = ""

    /// The model that was asked for.
    public var model: String = ""

    /// Which of the job's streams it is, from 0.
    public var choice: Int = 0

    /// Tokens released so far.
    public var tokens: Int = 0

    /// The most tokens that it may generate.
    public var maximumTokens: Int = 0

    /// The worker that runs it; empty while none does.
    public var worker: String = ""

    /// How many attempts it took so far.
    public var attempts: Int = 0

    /// How it was continued so far.
    public var continuity: String = ""

    /// Time since it was accepted.
    public var ageMilliseconds: Int = 0

    /// Its idempotency key.
    public var key: String = ""

    /// How urgent it is, as `Priority` names it.
    public var priority: String = ""

    /// The client whose share of the workers it takes.
    public var client: String = ""

    /// For a failed job: what went wrong.
    public var error: JobFailure?

    /// A job of which nothing is known.
    public init() {}

    private enum CodingKeys: String, CodingKey {
        case job
        case state
        case model
        case choice
        case tokens
        case maximumTokens = "max_tokens"
        case worker
        case attempts
        case continuity
        case ageMilliseconds = "age_ms"
        case key
        case priority
        case client
        case error
    }
}

/// Why a job failed, as `ApusError` says it.
public struct JobFailure: Hashable, Sendable, Codable {
    /// The raw value of an `ApusError.Code`.
    public var code: String

    /// What happened.
    public var message: String

    /// Describes a failure.
    public init(code: String, message: String) {
        self.code = code
        self.message = message
    }
}
