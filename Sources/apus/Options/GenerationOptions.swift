import ApusModel
import ArgumentParser

/// What to generate.
struct GenerationOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The model's served name; default $APUS_MODEL, then the only model that the cluster serves.",
            valueName: "name"
        )
    )
    var model: String?

    @Option(help: ArgumentHelp("The most tokens to generate.", valueName: "n"))
    var maxTokens: Int = 256

    @Option(help: ArgumentHelp("0 takes the most likely token; higher values vary more.", valueName: "t"))
    var temperature: Double = 0

    @Option(help: ArgumentHelp("Draw from the K most likely tokens only; 0 is off.", valueName: "k"))
    var topK: Int = 0

    @Option(help: ArgumentHelp("Draw from the most likely tokens that make up P together; 1 is off.", valueName: "p"))
    var topP: Double = 1

    @Option(help: ArgumentHelp("The seed of all draws; the same seed gives the same text.", valueName: "s"))
    var seed: UInt64?

    @Option(
        parsing: .singleValue,
        help: ArgumentHelp("A text that ends the output; may be given several times.", valueName: "text")
    )
    var stop: [String] = []

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

    @Flag(help: "Send the prompt as it is, without the model's chat template.")
    var raw = false

    @Flag(help: "Go on past the model's end-of-generation token.")
    var ignoreEos = false

    /// The request for a prompt.
    ///
    /// - Throws: `invalidRequest` for the first bad parameter.
    func request(prompt: String) throws(ApusError) -> GenerationRequest {
        var name: ModelName?
        if let text = model ?? Environment.model.map({ Environment.servedName(of: $0) }) {
            guard let valid = ModelName(text) else {
                throw ApusError(
                    .invalidRequest,
                    "'\(text)' is no model's name: at most \(Limits.nameBytes) letters, digits, dots, hyphens, underscores"
                )
            }
            name = valid
        }
        if let deadline, !(deadline > 0 && deadline <= 31_536_000) {
            throw ApusError(.invalidRequest, "--deadline is \(deadline); it must be above 0 and at most a year")
        }
        let request = GenerationRequest(
            model: name,
            prompt: prompt,
            isRaw: raw,
            maximumTokens: maxTokens,
            sampling: SamplingParameters(temperature: temperature, topK: topK, topP: topP, seed: seed),
            stop: stop,
            ignoresEndOfGeneration: ignoreEos,
            deadline: deadline.map { .milliseconds(max(1, Int64($0 * 1000))) },
            priority: priority
        )
        try request.validate()
        return request
    }
}
