/// What a worker's batch controller, memory monitor and caches see; part of `WorkerStatus`, with the same rules for its JSON form.
///
/// Counters count since the worker's process began; shares are between 0 and 1, and 0 where nothing was counted.
public struct WorkerLoadStatus: Hashable, Sendable, Codable {
    /// How scarce memory is: `normal`, `warning`, `pressure`, `critical`; empty where the worker doesn't know.
    public var memory: String = ""

    /// Whether it takes no new work now, for lack of memory.
    public var isRefusing: Bool = false

    /// What the time of its steps goes to: `compute`, `balanced`, `transfer`; empty where the worker doesn't know.
    public var bound: String = ""

    /// How it chooses its batches: `cost`, `aimd`; empty where the worker doesn't say.
    public var policy: String = ""

    /// Tokens of the prompts that it began.
    public var promptTokens: Int = 0

    /// Of these, found computed.
    public var cachedTokens: Int = 0

    /// The share of the prompts' tokens that was found computed.
    public var cacheHitRate: Double = 0

    /// Memory that computed beginnings of prompts take now.
    public var cacheBytes: Int = 0

    /// Tokens that a consumer's credit was waited for.
    public var grantedTokens: Int = 0

    /// Of these, computed before the credit came.
    public var grantedAheadTokens: Int = 0

    /// The share of the tokens that were computed before their credit came.
    public var lookaheadHitRate: Double = 0

    /// Tokens that speculation proposed.
    public var draftedTokens: Int = 0

    /// Of these, confirmed by the model.
    public var acceptedTokens: Int = 0

    /// The share of the proposed tokens that the model confirmed.
    public var acceptanceRate: Double = 0

    /// Engine passes that failed.
    public var errors: Int = 0

    /// Of these, how many their streams outlived.
    public var recovered: Int = 0

    /// A load of which nothing is known.
    public init() {}

    private enum CodingKeys: String, CodingKey {
        case memory
        case isRefusing = "refusing"
        case bound
        case policy
        case promptTokens = "prompt_tokens"
        case cachedTokens = "cached_tokens"
        case cacheHitRate = "cache_hit_rate"
        case cacheBytes = "cache_bytes"
        case grantedTokens = "granted_tokens"
        case grantedAheadTokens = "granted_ahead_tokens"
        case lookaheadHitRate = "lookahead_hit_rate"
        case draftedTokens = "drafted_tokens"
        case acceptedTokens = "accepted_tokens"
        case acceptanceRate = "acceptance_rate"
        case errors
        case recovered
    }
}
