import ApusModel
import ArgumentParser

/// The engines that a worker can run.
enum EngineChoice: String, ExpressibleByArgument, CaseIterable {
    /// llama.cpp with a model's file.
    case llama
    /// No model: tokens by a function of the seed, times by a cost model.
    case simulated
}

/// What a worker computes with; `up` passes it on to its workers.
struct EngineOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("llama, or simulated: no model, made-up tokens, for tests and load.", valueName: "engine")
    )
    var engine: EngineChoice = .llama

    @Option(
        help: ArgumentHelp(
            "The model's file (GGUF); default $APUS_MODEL, then the model that Scripts/setup.sh installs.",
            valueName: "file"
        )
    )
    var model: String?

    @Option(help: ArgumentHelp("The name to serve the model under; default: the file's name.", valueName: "name"))
    var modelName: ModelName?

    @Option(
        help: ArgumentHelp("Processor threads; default: the machine's, shared among workers by `up`.", valueName: "n")
    )
    var threads: Int?

    @Option(help: ArgumentHelp("Streams beside each other; default 8, simulated 16.", valueName: "n"))
    var slots: Int?

    @Option(help: ArgumentHelp("Tokens, prompt and output together, that fit into a slot.", valueName: "tokens"))
    var context: Int?

    @Option(help: ArgumentHelp("The batch controller never goes below this.", valueName: "n"))
    var minBatch: Int = 1

    @Option(help: ArgumentHelp("The batch controller never goes above this; default: the slots.", valueName: "n"))
    var maxBatch: Int?

    @Option(
        help: ArgumentHelp(
            "How the batch is chosen: cost (by what steps cost here), or aimd (up and down by one).",
            valueName: "policy"
        )
    )
    var batchPolicy: BatchPolicy = .cost

    @Option(help: ArgumentHelp("The time between tokens that batches keep, in milliseconds.", valueName: "ms"))
    var interTokenMs: Int = 100

    @Option(help: ArgumentHelp("The most tokens of a prompt in one pass.", valueName: "tokens"))
    var prefillChunk: Int?

    @Option(help: ArgumentHelp("Memory for computed beginnings of prompts; 0 keeps none.", valueName: "MB"))
    var prefixCacheMb: Int = 256

    @Option(
        help: ArgumentHelp(
            "Memory at which the worker counts as full; default: the limits of its control group and machine.",
            valueName: "MB"
        )
    )
    var memoryLimitMb: Int?

    @Option(help: ArgumentHelp("Simulated: time of a step, in microseconds.", valueName: "us"))
    var simStepUs: Double?

    @Option(help: ArgumentHelp("Simulated: time that each stream adds to a step, in microseconds.", valueName: "us"))
    var simRowUs: Double?

    @Option(
        help: ArgumentHelp(
            "Simulated: time that each token of context adds to a step, in microseconds.",
            valueName: "us"
        )
    )
    var simContextUs: Double?

    @Option(help: ArgumentHelp("Simulated: time of a prompt token, in microseconds.", valueName: "us"))
    var simPrefillUs: Double?

    @Option(help: ArgumentHelp("Simulated: one token in N ends the answer; 0 never.", valueName: "n"))
    var simEndsOneIn: Int?

    @Flag(help: ArgumentHelp("Simulated: tokens are the time of their drawing, for benchmarks.", visibility: .hidden))
    var simStampTime = false

    func validate() throws {
        for (name, value) in [
            ("--threads", threads), ("--slots", slots), ("--context", context), ("--min-batch", minBatch),
            ("--max-batch", maxBatch), ("--inter-token-ms", interTokenMs), ("--prefill-chunk", prefillChunk),
            ("--memory-limit-mb", memoryLimitMb),
        ] {
            if let value, value < 1 { throw ValidationError("\(name) is \(value); it must be 1 or more.") }
        }
        for (name, value) in [("--prefix-cache-mb", prefixCacheMb), ("--memory-limit-mb", memoryLimitMb ?? 1)]
        where !(0...1 << 30).contains(value) {
            throw ValidationError("\(name) is \(value); it must be between 0 and \(1 << 30).")
        }
        if interTokenMs > 60_000 {
            throw ValidationError("--inter-token-ms is \(interTokenMs); at most 60000, a minute, is possible.")
        }
        if let slots, slots > Limits.slots {
            throw ValidationError("--slots is \(slots); at most \(Limits.slots) are possible.")
        }
        if let maxBatch, maxBatch < minBatch {
            throw ValidationError("--max-batch is \(maxBatch), below --min-batch, which is \(minBatch).")
        }
        for (name, value) in [
            ("--sim-step-us", simStepUs), ("--sim-row-us", simRowUs), ("--sim-context-us", simContextUs),
            ("--sim-prefill-us", simPrefillUs),
        ] {
            if let value, !(value >= 0 && value <= 1e9) {
                throw ValidationError("\(name) is \(value); it must be between 0 and 1000000000.")
            }
        }
        if let simEndsOneIn, simEndsOneIn < 0 {
            throw ValidationError("--sim-ends-one-in is \(simEndsOneIn); it must be 0 or more.")
        }
    }

    /// The arguments that pass these options on to a worker.
    ///
    /// - Parameter share: The worker's share of the processors, unless the options name a number.
    /// - Returns: Flags and their values.
    func arguments(threads share: Int) -> [String] {
        var arguments = ["--engine", engine.rawValue, "--min-batch", String(minBatch)]
        func add(_ name: String, _ value: (some CustomStringConvertible)?) {
            if let value { arguments += [name, value.description] }
        }
        add("--model", model)
        add("--model-name", modelName)
        add("--threads", threads ?? share)
        add("--slots", slots)
        add("--context", context)
        add("--max-batch", maxBatch)
        add("--batch-policy", batchPolicy.rawValue)
        add("--inter-token-ms", interTokenMs)
        add("--prefill-chunk", prefillChunk)
        add("--prefix-cache-mb", prefixCacheMb)
        add("--memory-limit-mb", memoryLimitMb)
        add("--sim-step-us", simStepUs)
        add("--sim-row-us", simRowUs)
        add("--sim-context-us", simContextUs)
        add("--sim-prefill-us", simPrefillUs)
        add("--sim-ends-one-in", simEndsOneIn)
        return arguments
    }
}
