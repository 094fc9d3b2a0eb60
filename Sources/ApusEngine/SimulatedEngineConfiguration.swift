public import ApusModel

/// What a simulated engine pretends to be and what its passes cost.
public struct SimulatedEngineConfiguration: Hashable, Sendable {
    /// The name under which it is served.
    public var model = ModelName(unchecked: "simulated")

    /// Sequences beside each other.
    public var slots = 16

    /// Tokens, prompt and output together, that fit into a slot.
    public var contextTokens = 1_000_000

    /// Time of a prompt or history token, in microseconds.
    public var prefillMicrosecondsPerToken = 600.0

    /// Time of a decoding pass, in microseconds, whatever its rows.
    public var stepMicroseconds = 4_000.0

    /// Time that each row adds to a decoding pass, in microseconds.
    public var stepMicrosecondsPerRow = 300.0

    /// Time that each token before a row adds to a decoding pass, in microseconds.
    public var stepMicrosecondsPerContextToken = 0.0

    /// Tokens of the smallest piece of a prompt.
    public var prefillQuantum = 8

    /// The most tokens of a prompt in one pass.
    public var prefillChunk = 512

    /// The most tokens of history in one pass.
    public var replayChunk = 63

    /// The widths that a pass over one sequence with drafts may have; none: its tokens can't be guessed.
    public var draftWidths: [Int] = []

    /// Stands for the weights: engines with other weights give other tokens and have another fingerprint.
    public var weights: UInt64 = 0

    /// One token in so many, by hash, ends the answer; 0 never does, and streams end by `max_tokens`.
    public var endsOneTokenIn = 0

    /// Whether tokens are the time of their drawing, in microseconds of the system's monotonic clock (31 bits), so that a
    /// benchmark on the same machine sees how long a token was under way; the class is then `consistent`.
    public var stampsTime = false

    /// The cost of a small real model on a small machine.
    public init() {}

    /// Costs nothing: for measuring everything around the engine.
    public static var free: Self {
        var configuration = Self()
        configuration.prefillMicrosecondsPerToken = 0
        configuration.stepMicroseconds = 0
        configuration.stepMicrosecondsPerRow = 0
        configuration.prefillChunk = 4_096
        configuration.replayChunk = 4_096
        return configuration
    }
}
