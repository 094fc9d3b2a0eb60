/// How a token is drawn from the model's distribution; draw i uses a number that depends on the seed and on i alone.
///
/// The order of the steps is fixed: logit bias, repetition, frequency and presence penalties, DRY, temperature, top-k,
/// typical, top-p, min-p, draw. Penalties are functions of the tokens before the drawn one.
public struct SamplingParameters: Hashable, Sendable {
    /// The highest temperature that is taken.
    public static let highestTemperature = 5.0

    /// 0 takes the most likely token; higher values flatten the distribution.
    public var temperature: Double

    /// Only the `topK` most likely tokens are drawn from; 0 turns the filter off.
    public var topK: Int

    /// Only the most likely tokens whose probabilities add up to `topP` are drawn from; 1 turns the filter off.
    public var topP: Double

    /// Only tokens at least `minP` times as likely as the likeliest are drawn from; 0 turns the filter off.
    ///
    /// Source: Nguyen et al., "Turning Up the Heat: Min-p Sampling", 2024.
    public var minP: Double

    /// Only the tokens whose surprise is nearest to the expected one, adding up to `typicalP`, are drawn from; 1 turns the
    /// filter off.
    ///
    /// Source: Meister et al., "Locally Typical Sampling", 2022.
    public var typicalP: Double

    /// Divides the positive logits, and multiplies the negative ones, of tokens within the window; 1 is off.
    ///
    /// Source: Keskar et al., "CTRL", 2019.
    public var repetitionPenalty: Double

    /// How many tokens back, prompt included, the repetition penalty looks.
    public var penaltyWindow: Int

    /// Taken off a token's logit for each time that the output holds it; 0 is off.
    ///
    /// As in OpenAI's API.
    public var frequencyPenalty: Double

    /// Taken off a token's logit once where the output holds it; 0 is off.
    ///
    /// As in OpenAI's API.
    public var presencePenalty: Double

    /// Taken off tokens that would go on a repetition; `nil` is off.
    public var dry: DryParameters?

    /// Added to the logits of tokens, each token at most once.
    public var logitBias: [LogitBias]

    /// The seed of all draws; `nil` lets the coordinator choose one at acceptance, the same for every attempt.
    public var seed: UInt64?

    /// Describes how tokens are drawn.
    public init(
        temperature: Double = 0,
        topK: Int = 0,
        topP: Double = 1,
        minP: Double = 0,
        typicalP: Double = 1,
        repetitionPenalty: Double = 1,
        penaltyWindow: Int = 64,
        frequencyPenalty: Double = 0,
        presencePenalty: Double = 0,
        dry: DryParameters? = nil,
        logitBias: [LogitBias] = [],
        seed: UInt64? = nil
    ) {
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
        self.minP = minP
        self.typicalP = typicalP
        self.repetitionPenalty = repetitionPenalty
        self.penaltyWindow = penaltyWindow
        self.frequencyPenalty = frequencyPenalty
        self.presencePenalty = presencePenalty
        self.dry = dry
        self.logitBias = logitBias
        self.seed = seed
    }

    /// Checks every parameter against its range.
    ///
    /// - Throws: `invalidRequest` with a message that names the first bad parameter.
    func validate() throws(ApusError) {
        func check(_ value: Double, in range: ClosedRange<Double>, _ name: String) throws(ApusError) {
            // A NaN is in no range.
            guard range.contains(value) else {
                throw ApusError(
                    .invalidRequest,
                    "\(name) is \(value); it must be between \(range.lowerBound) and \(range.upperBound)"
                )
            }
        }
        func check(_ holds: Bool, _ message: @autoclosure () -> String) throws(ApusError) {
            if !holds { throw ApusError(.invalidRequest, message()) }
        }
        try check(temperature, in: 0...Self.highestTemperature, "temperature")
        try check(topK >= 0, "top_k is \(topK); it must be 0 (off) or more")
        try check(topP > 0 && topP <= 1, "top_p is \(topP); it must be above 0 and at most 1")
        try check(minP, in: 0...1, "min_p")
        try check(typicalP > 0 && typicalP <= 1, "typical_p is \(typicalP); it must be above 0 and at most 1")
        try check(
            repetitionPenalty > 0 && repetitionPenalty <= 10,
            "repetition_penalty is \(repetitionPenalty); it must be above 0 and at most 10"
        )
        try check(
            (0...Limits.maximumTokens).contains(penaltyWindow),
            "penalty_window is \(penaltyWindow); it must be between 0 and \(Limits.maximumTokens)"
        )
        try check(frequencyPenalty, in: -2...2, "frequency_penalty")
        try check(presencePenalty, in: -2...2, "presence_penalty")
        if let dry {
            try check(dry.multiplier, in: 0...10, "dry_multiplier")
            try check(dry.base, in: 1...8, "dry_base")
            try check(
                (0...1_024).contains(dry.allowedLength),
                "dry_allowed_length is \(dry.allowedLength); it must be between 0 and 1024"
            )
            try check(
                (0...Limits.maximumTokens).contains(dry.window),
                "dry_window is \(dry.window); it must be between 0 (all) and \(Limits.maximumTokens)"
            )
            try check(
                dry.breakers.count <= Limits.stopStrings
                    && dry.breakers.allSatisfy { (1...Limits.stopBytes).contains($0.utf8.count) },
                "at most \(Limits.stopStrings) DRY breakers of 1 to \(Limits.stopBytes) bytes are taken"
            )
        }
        try check(
            logitBias.count <= Limits.logitBiases,
            "\(logitBias.count) logit biases; at most \(Limits.logitBiases) are taken"
        )
        for entry in logitBias {
            try check(entry.token.rawValue >= 0, "logit_bias names token \(entry.token.rawValue); tokens begin at 0")
            try check(entry.bias, in: -100...100, "the logit bias of token \(entry.token.rawValue)")
        }
        let tokens = logitBias.map(\.token.rawValue).sorted()
        if let twice = zip(tokens, tokens.dropFirst()).first(where: { $0 == $1 })?.0 {
            throw ApusError(.invalidRequest, "logit_bias names token \(twice) twice")
        }
    }
}

/// "Don't repeat yourself": a penalty that grows with the length of a repetition.
///
/// A token that would go on a sequence of n tokens which was there before loses `multiplier * base^(n - allowedLength)`, for
/// n from `allowedLength` on. Sequences don't reach over breakers.
/// Source: the DRY sampler of text-generation-webui (p-e-w, 2024).
public struct DryParameters: Hashable, Sendable {
    /// The strength; 0 is off.
    public var multiplier: Double

    /// The growth a token.
    public var base: Double

    /// Repetitions shorter than this are free.
    public var allowedLength: Int

    /// How many tokens back, prompt included, is looked; 0: all.
    public var window: Int

    /// Texts over which no repetition reaches: a token whose text holds one ends it.
    public var breakers: [String]

    /// Describes a penalty.
    public init(
        multiplier: Double,
        base: Double = 1.75,
        allowedLength: Int = 2,
        window: Int = 0,
        breakers: [String] = ["\n", ":", "\"", "*"]
    ) {
        self.multiplier = multiplier
        self.base = base
        self.allowedLength = allowedLength
        self.window = window
        self.breakers = breakers
    }
}

/// What is added to a token's logit.
public struct LogitBias: Hashable, Sendable {
    /// The token.
    public var token: TokenID

    /// From -100, which bans the token, to 100.
    public var bias: Double

    /// Describes a bias.
    public init(token: TokenID, bias: Double) {
        self.token = token
        self.bias = bias
    }
}
