/// What a client asks for: together with the weights it determines the output.
public struct GenerationRequest: Hashable, Sendable {
    /// The model to use; `nil` takes the only one that the cluster serves.
    public var model: ModelName?

    /// The prompt's text.
    public var prompt: String

    /// Whether the prompt goes to the model as it is; otherwise it becomes the user's message in the model's chat template.
    public var isRaw: Bool

    /// The most tokens to generate, 1 or more.
    public var maximumTokens: Int

    /// How tokens are drawn.
    public var sampling: SamplingParameters

    /// Texts that end the stream; they are not part of the output.
    public var stop: [String]

    /// Whether generation goes on past the model's end-of-generation token.
    public var ignoresEndOfGeneration: Bool

    /// How long the job may take from acceptance to its end; `nil` takes the coordinator's default.
    public var deadline: Duration?

    /// How urgent the job is against others of the same model; the output does not depend on it.
    public var priority: Priority

    /// Describes a generation.
    public init(
        model: ModelName? = nil,
        prompt: String,
        isRaw: Bool = false,
        maximumTokens: Int = 256,
        sampling: SamplingParameters = SamplingParameters(),
        stop: [String] = [],
        ignoresEndOfGeneration: Bool = false,
        deadline: Duration? = nil,
        priority: Priority = .normal
    ) {
        self.model = model
        self.prompt = prompt
        self.isRaw = isRaw
        self.maximumTokens = maximumTokens
        self.sampling = sampling
        self.stop = stop
        self.ignoresEndOfGeneration = ignoresEndOfGeneration
        self.deadline = deadline
        self.priority = priority
    }

    /// Checks every parameter against its range; the same check runs in the client and in the coordinator.
    ///
    /// - Throws: `ApusError` with `invalidRequest` and a message that names the first bad parameter.
    public func validate() throws(ApusError) {
        func check(_ holds: Bool, _ message: @autoclosure () -> String) throws(ApusError) {
            if !holds { throw ApusError(.invalidRequest, message()) }
        }
        try check(!prompt.isEmpty, "the prompt is empty")
        try check(
            prompt.utf8.count <= Limits.promptBytes,
            "the prompt has \(prompt.utf8.count) bytes; at most \(Limits.promptBytes) are taken"
        )
        try check(
            (1...Limits.maximumTokens).contains(maximumTokens),
            "max_tokens is \(maximumTokens); it must be between 1 and \(Limits.maximumTokens)"
        )
        try check(
            (0...SamplingParameters.highestTemperature).contains(sampling.temperature),
            "temperature is \(sampling.temperature); it must be between 0 and \(SamplingParameters.highestTemperature)"
        )
        try check(
            sampling.topP > 0 && sampling.topP <= 1,
            "top_p is \(sampling.topP); it must be above 0 and at most 1"
        )
        try check(sampling.topK >= 0, "top_k is \(sampling.topK); it must be 0 (off) or more")
        try check(
            stop.count <= Limits.stopStrings,
            "\(stop.count) stop strings; at most \(Limits.stopStrings) are taken"
        )
        for text in stop {
            try check(
                (1...Limits.stopBytes).contains(text.utf8.count),
                "a stop string has \(text.utf8.count) bytes; it must have between 1 and \(Limits.stopBytes)"
            )
        }
        if let deadline {
            try check(deadline > .zero, "the deadline is \(deadline); it must be above 0")
        }
    }
}

/// How a token is drawn from the model's distribution; draw i uses a number that depends on the seed and on i alone.
public struct SamplingParameters: Hashable, Sendable {
    /// The highest temperature that is taken.
    public static let highestTemperature = 5.0

    /// 0 takes the most likely token; higher values flatten the distribution.
    public var temperature: Double

    /// Only the `topK` most likely tokens are drawn from; 0 turns the filter off.
    public var topK: Int

    /// Only the most likely tokens whose probabilities add up to `topP` are drawn from; 1 turns the filter off.
    public var topP: Double

    /// The seed of all draws; `nil` lets the coordinator choose one at acceptance, the same for every attempt.
    public var seed: UInt64?

    /// Describes how tokens are drawn.
    public init(temperature: Double = 0, topK: Int = 0, topP: Double = 1, seed: UInt64? = nil) {
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
        self.seed = seed
    }
}
