/// What a client asks for: together with the weights it determines the output.
public struct GenerationRequest: Hashable, Sendable {
    /// The model to use; `nil` takes the only one that the cluster serves.
    public var model: ModelName?

    /// The prompt's text; empty where there are messages.
    public var prompt: String

    /// A chat for the model's template, in order; empty where there is a prompt.
    ///
    /// A prompt that isn't raw is the same as one message of the user.
    public var messages: [ChatMessage]

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

    /// The model's end and the stop strings count only once so many tokens are there; 0 is off.
    ///
    /// Until then the tokens that end an answer can't be drawn.
    public var minimumTokens: Int

    /// Whether special tokens, like those of a chat template, have text; otherwise they are hidden.
    public var showsSpecialTokens: Bool

    /// What the output has to be; `nil`: anything.
    public var constraint: OutputConstraint?

    /// How many of the likeliest tokens come with each token, with their log probabilities; 0 gives the token's own alone,
    /// `nil` none.
    public var logprobs: Int?

    /// How many streams the job has, each with a seed of its own.
    public var choices: Int

    /// The time between tokens that the job wants kept; `nil` takes the worker's target.
    ///
    /// The output does not depend on it.
    public var interTokenTarget: Duration?

    /// How many tokens may share a message once the stream is under way; the output does not depend on it.
    public var transferTokens: Int

    /// Whether the worker may guess tokens ahead where that is faster; the output does not depend on it.
    public var speculates: Bool

    /// How much of the job survives the coordinator.
    public var durability: Durability

    /// Describes a generation.
    public init(
        model: ModelName? = nil,
        prompt: String = "",
        messages: [ChatMessage] = [],
        isRaw: Bool = false,
        maximumTokens: Int = 256,
        sampling: SamplingParameters = SamplingParameters(),
        stop: [String] = [],
        ignoresEndOfGeneration: Bool = false,
        deadline: Duration? = nil,
        priority: Priority = .normal,
        minimumTokens: Int = 0,
        showsSpecialTokens: Bool = false,
        constraint: OutputConstraint? = nil,
        logprobs: Int? = nil,
        choices: Int = 1,
        interTokenTarget: Duration? = nil,
        transferTokens: Int = 1,
        speculates: Bool = true,
        durability: Durability = .released
    ) {
        self.model = model
        self.prompt = prompt
        self.messages = messages
        self.isRaw = isRaw
        self.maximumTokens = maximumTokens
        self.sampling = sampling
        self.stop = stop
        self.ignoresEndOfGeneration = ignoresEndOfGeneration
        self.deadline = deadline
        self.priority = priority
        self.minimumTokens = minimumTokens
        self.showsSpecialTokens = showsSpecialTokens
        self.constraint = constraint
        self.logprobs = logprobs
        self.choices = choices
        self.interTokenTarget = interTokenTarget
        self.transferTokens = transferTokens
        self.speculates = speculates
        self.durability = durability
    }

    /// The chat that goes to the model's template: the messages, or the prompt as the user's.
    public var chat: [ChatMessage] { messages.isEmpty ? [.user(prompt)] : messages }

    /// The text that the chat consists of, if it is the user's alone: the prompt, or the only message.
    package var plainPrompt: String? {
        if messages.isEmpty { return prompt }
        return messages.count == 1 && messages[0].role == "user" ? messages[0].content : nil
    }

    /// The bytes of the prompt, or of all roles and contents.
    package var promptBytes: Int {
        messages.reduce(prompt.utf8.count) { $0 + $1.role.utf8.count + $1.content.utf8.count }
    }

    /// A digest of the prompt or the messages, the same in every process; equal for what means the same.
    package var promptDigest: UInt64 {
        if let plainPrompt { return plainPrompt.stableDigest }
        return messages.reduce(UInt64(messages.count)) { digest, message in
            ((digest &+ message.role.stableDigest).mixed &+ message.content.stableDigest).mixed
        }
    }

    /// Checks every parameter against its range; the same check runs in the client and in the coordinator.
    ///
    /// - Throws: `ApusError` with `invalidRequest` and a message that names the first bad parameter.
    public func validate() throws(ApusError) {
        func check(_ holds: Bool, _ message: @autoclosure () -> String) throws(ApusError) {
            if !holds { throw ApusError(.invalidRequest, message()) }
        }
        if messages.isEmpty {
            try check(!prompt.isEmpty, "the prompt is empty")
        } else {
            try check(prompt.isEmpty, "there are a prompt and messages; give one of them")
            try check(!isRaw, "messages go through the model's chat template and can't be raw; give a prompt instead")
            try check(
                messages.count <= Limits.messages,
                "there are \(messages.count) messages; at most \(Limits.messages) are taken"
            )
            for message in messages { try message.validate() }
        }
        try check(
            promptBytes <= Limits.promptBytes,
            "the prompt has \(promptBytes) bytes; at most \(Limits.promptBytes) are taken"
        )
        try check(
            (1...Limits.maximumTokens).contains(maximumTokens),
            "max_tokens is \(maximumTokens); it must be between 1 and \(Limits.maximumTokens)"
        )
        try check(
            (0...maximumTokens).contains(minimumTokens),
            "min_tokens is \(minimumTokens); it must be between 0 and max_tokens, which is \(maximumTokens)"
        )
        try check(
            (1...Limits.choices).contains(choices),
            "n is \(choices); it must be between 1 and \(Limits.choices)"
        )
        if let logprobs {
            try check(
                (0...Limits.alternatives).contains(logprobs),
                "logprobs is \(logprobs); it must be between 0 and \(Limits.alternatives)"
            )
        }
        try check(
            (1...Limits.transferTokens).contains(transferTokens),
            "transfer_tokens is \(transferTokens); it must be between 1 and \(Limits.transferTokens)"
        )
        if let interTokenTarget {
            try check(
                interTokenTarget >= .milliseconds(1) && interTokenTarget <= WorkerSettings.longestInterTokenTarget,
                "the inter-token target is \(interTokenTarget); it must be between 1 ms and "
                    + "\(WorkerSettings.longestInterTokenTarget)"
            )
        }
        try sampling.validate()
        try constraint?.validate()
        try check(
            constraint == nil || !ignoresEndOfGeneration,
            "ignore_eos is set, but an output with a grammar or schema ends where its text is complete; leave one of them out"
        )
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
