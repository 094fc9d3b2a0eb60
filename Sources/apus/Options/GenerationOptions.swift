import ApusModel
import ArgumentParser

/// What to generate.
struct GenerationOptions: ParsableArguments {
    @OptionGroup(title: "Prompt")
    var prompt: PromptOptions

    @OptionGroup(title: "Sampling")
    var sampling: SamplingOptions

    @OptionGroup(title: "Output")
    var constraint: ConstraintOptions

    @Option(
        help: ArgumentHelp(
            "The model's served name; default $APUS_MODEL, then the only model that the cluster serves.",
            valueName: "name"
        )
    )
    var model: String?

    @Option(help: ArgumentHelp("The most tokens to generate.", valueName: "n"))
    var maxTokens: Int = 256

    @Option(help: ArgumentHelp("The model's end and stop texts count only after so many tokens.", valueName: "n"))
    var minTokens: Int = 0

    @Option(
        parsing: .singleValue,
        help: ArgumentHelp("A text that ends the output; may be given several times.", valueName: "text")
    )
    var stop: [String] = []

    @Flag(help: "Go on past the model's end-of-generation token.")
    var ignoreEos = false

    @Flag(help: "Show special tokens, like those of a chat template.")
    var showSpecial = false

    @Option(
        help: ArgumentHelp(
            "Log probabilities with each token, and those of the N likeliest tokens; seen with --output json.",
            valueName: "n"
        )
    )
    var logprobs: Int?

    @Option(
        name: [.customShort("n"), .customLong("choices")],
        help: ArgumentHelp("Streams of the job, each with a seed of its own.", valueName: "n")
    )
    var choices: Int = 1

    @Option(
        help: ArgumentHelp("The most seconds until the job's end; default: the coordinator's.", valueName: "seconds")
    )
    var deadline: Double?

    @Option(
        help: ArgumentHelp(
            "high: somebody waits; low: nobody does. Higher jobs slow lower ones down and never stop them.",
            valueName: "priority"
        )
    )
    var priority: Priority = .normal

    @Option(help: ArgumentHelp("The time between tokens to keep; default: the worker's target.", valueName: "ms"))
    var interTokenMs: Int?

    @Option(
        help: ArgumentHelp("Tokens that may share a message once the stream is under way; default 1.", valueName: "n")
    )
    var transferTokens: Int?

    @Option(help: ArgumentHelp("Who shows the stream, which sets --transfer-tokens.", valueName: "profile"))
    var clientProfile: ClientProfile?

    @Option(
        help: ArgumentHelp(
            "What survives a coordinator's death. released: each token; accepted: the job, computed again; none: nothing.",
            valueName: "class"
        )
    )
    var durability: Durability = .released

    @Flag(help: "Don't guess tokens ahead; the output is the same.")
    var noSpeculation = false

    func validate() throws {
        if transferTokens != nil, clientProfile != nil {
            throw ValidationError("--client-profile sets --transfer-tokens; give one of them.")
        }
        if let interTokenMs, !(1...60_000).contains(interTokenMs) {
            throw ValidationError("--inter-token-ms is \(interTokenMs); it must be between 1 and 60000.")
        }
    }

    /// The request for a prompt.
    ///
    /// - Parameter text: The prompt; `nil` where the messages say all.
    /// - Returns: The request, checked.
    /// - Throws: `invalidRequest` for the first bad parameter, and for a constraint's file that can't be read.
    func request(prompt text: String?) throws(ApusError) -> GenerationRequest {
        if let deadline, !(deadline > 0 && deadline <= 31_536_000) {
            throw ApusError(.invalidRequest, "--deadline is \(deadline); it must be above 0 and at most a year")
        }
        var request = GenerationRequest(
            model: try servedName(),
            maximumTokens: maxTokens,
            sampling: sampling.parameters,
            stop: stop,
            ignoresEndOfGeneration: ignoreEos,
            deadline: deadline.map { .milliseconds(max(1, Int64($0 * 1000))) },
            priority: priority,
            minimumTokens: minTokens,
            showsSpecialTokens: showSpecial,
            constraint: try constraint.constraint(),
            logprobs: logprobs,
            choices: choices,
            interTokenTarget: interTokenMs.map { .milliseconds($0) },
            transferTokens: transferTokens ?? clientProfile?.transferTokens ?? 1,
            speculates: !noSpeculation,
            durability: durability
        )
        prompt.fill(&request, prompt: text)
        try request.validate()
        return request
    }

    private func servedName() throws(ApusError) -> ModelName? {
        guard let text = model ?? Environment.model.map({ Environment.servedName(of: $0) }) else { return nil }
        guard let name = ModelName(text) else {
            throw ApusError(
                .invalidRequest,
                "'\(text)' is no model's name: at most \(Limits.nameBytes) letters, digits, dots, hyphens, underscores"
            )
        }
        return name
    }
}
