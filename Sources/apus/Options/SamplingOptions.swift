import ApusModel
import ArgumentParser

/// How tokens are drawn.
struct SamplingOptions: ParsableArguments {
    @Option(help: ArgumentHelp("0 takes the most likely token; higher values vary more.", valueName: "t"))
    var temperature: Double = 0

    @Option(help: ArgumentHelp("Draw from the K most likely tokens only; 0 is off.", valueName: "k"))
    var topK: Int = 0

    @Option(help: ArgumentHelp("Draw from the most likely tokens that make up P together; 1 is off.", valueName: "p"))
    var topP: Double = 1

    @Option(
        help: ArgumentHelp("Draw from tokens at least P times as likely as the likeliest; 0 is off.", valueName: "p")
    )
    var minP: Double = 0

    @Option(help: ArgumentHelp("Draw from the most typical tokens that make up P together; 1 is off.", valueName: "p"))
    var typicalP: Double = 1

    @Option(help: ArgumentHelp("Make tokens of the window less likely by this factor; 1 is off.", valueName: "x"))
    var repetitionPenalty: Double = 1

    @Option(help: ArgumentHelp("Tokens that the repetition penalty looks back.", valueName: "n"))
    var penaltyWindow: Int = 64

    @Option(help: ArgumentHelp("Penalty for each time that the output holds a token; -2 to 2.", valueName: "x"))
    var frequencyPenalty: Double = 0

    @Option(help: ArgumentHelp("Penalty for tokens that the output holds; -2 to 2.", valueName: "x"))
    var presencePenalty: Double = 0

    @Option(help: ArgumentHelp("Strength of DRY, which penalises going on a repetition; 0 is off.", valueName: "x"))
    var dryMultiplier: Double = 0

    @Option(help: ArgumentHelp("DRY: growth of the penalty with each repeated token.", valueName: "x"))
    var dryBase: Double = 1.75

    @Option(help: ArgumentHelp("DRY: shorter repetitions are free.", valueName: "n"))
    var dryAllowedLength: Int = 2

    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "Add to a token's logit, -100 (never) to 100; may be given several times.",
            valueName: "token=bias"
        ),
        transform: Self.bias
    )
    var logitBias: [LogitBias] = []

    @Option(help: ArgumentHelp("The seed of all draws; the same seed gives the same text.", valueName: "s"))
    var seed: UInt64?

    /// The parameters; whether they are in their ranges is checked with the request.
    var parameters: SamplingParameters {
        SamplingParameters(
            temperature: temperature,
            topK: topK,
            topP: topP,
            minP: minP,
            typicalP: typicalP,
            repetitionPenalty: repetitionPenalty,
            penaltyWindow: penaltyWindow,
            frequencyPenalty: frequencyPenalty,
            presencePenalty: presencePenalty,
            dry: dryMultiplier == 0
                ? nil : DryParameters(multiplier: dryMultiplier, base: dryBase, allowedLength: dryAllowedLength),
            logitBias: logitBias,
            seed: seed
        )
    }

    /// Reads a token's number and its bias.
    ///
    /// - Throws: `ValidationError` that says what is expected.
    private static func bias(_ argument: String) throws -> LogitBias {
        let halves = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard halves.count == 2, let token = Int32(halves[0]), let bias = Double(halves[1]) else {
            throw ValidationError("a logit bias is a token's number, = and a number: --logit-bias 17=-100.")
        }
        return LogitBias(token: TokenID(rawValue: token), bias: bias)
    }
}
