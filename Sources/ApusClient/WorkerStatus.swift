/// A worker as its coordinator sees it; part of `ClusterStatus`, with the same rules for its JSON form.
public struct WorkerStatus: Hashable, Sendable, Codable {
    /// The worker's name.
    public var name: String = ""

    /// The worker's process on its host.
    public var pid: Int = 0

    /// The worker's host.
    public var host: String = ""

    /// The model that it serves.
    public var model: String = ""

    /// The kind of engine: `llama`, `simulated`.
    public var engine: String = ""

    /// `ready`, `draining`, `slow` (much slower than its own history), `quarantined` (failed lately), `suspect` (silent or hung)
    /// or `lost`.
    public var state: String = ""

    /// Streams that it can run beside each other.
    public var slots: Int = 0

    /// Streams that it runs.
    public var active: Int = 0

    /// Streams in its last engine step.
    public var batchSize: Int = 0

    /// The most streams that its batch controller puts into a step at present.
    public var batchLimit: Int = 0

    /// Its present throughput.
    public var tokensPerSecond: Double = 0

    /// From acceptance to the first token, for streams that started on it.
    public var firstToken: Quantiles = Quantiles()

    /// Between two tokens of a stream.
    public var interToken: Quantiles = Quantiles()

    /// Time of an engine step.
    public var step: Quantiles = Quantiles()

    /// How long the streams that it took had waited in the queue.
    public var queueWait: Quantiles = Quantiles()

    /// Time of a chunk of a prompt.
    public var prefill: Quantiles = Quantiles()

    /// Age of its last message.
    public var lastBeatMilliseconds: Int = 0

    /// Times that it was lost while it ran streams, or failed one.
    public var failures: Int = 0

    /// Tokens that it brought.
    public var tokens: Int = 0

    /// `exact` where it proved that its streams can be continued bit for bit, otherwise `consistent`.
    public var exactness: String = ""

    /// Workers with equal fingerprints compute equal bits.
    public var fingerprint: String = ""

    /// This life of the worker's process.
    public var incarnation: String = ""

    /// Tokens, prompt and output together, that fit into one of its slots.
    public var contextTokens: Int = 0

    /// Its resident memory.
    public var memoryBytes: Int = 0

    /// What its batch controller, its memory monitor and its caches see.
    public var load: WorkerLoadStatus = WorkerLoadStatus()

    /// A worker of which nothing is known.
    public init() {}

    private enum CodingKeys: String, CodingKey {
        case name
        case pid
        case host
        case model
        case engine
        case state
        case slots
        case active
        case batchSize = "batch_size"
        case batchLimit = "batch_limit"
        case tokensPerSecond = "tokens_per_second"
        case firstToken = "ttft_ms"
        case interToken = "inter_token_ms"
        case step = "step_ms"
        case queueWait = "queue_wait_ms"
        case prefill = "prefill_ms"
        case lastBeatMilliseconds = "last_beat_ms"
        case failures
        case tokens
        case exactness
        case fingerprint
        case incarnation
        case contextTokens = "context_tokens"
        case memoryBytes = "memory_bytes"
        case load
    }
}
