public import ApusModel

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// What a llama.cpp engine is to load and how much it may take.
public struct LlamaConfiguration: Hashable, Sendable {
    /// The model's file in GGUF format.
    public var modelPath: String

    /// The name under which the model is served; `nil` takes the file's name without `.gguf`.
    public var modelName: ModelName?

    /// Threads that compute a pass; the calling thread is one of them.
    ///
    /// They spin while a pass runs: more threads than processors, over all engines of a machine, cost speed.
    public var threads: Int

    /// How many sequences run beside each other; the cache for all of them is allocated at load.
    public var slots: Int

    /// Tokens, prompt and output together, that fit into a slot; clamped to what the model was trained for.
    public var contextTokens: Int

    /// The most tokens of a prompt in one pass.
    ///
    /// Only where llama.cpp's attention depends on how a prompt is cut, the fingerprint depends on it as well.
    public var prefillChunk: Int

    /// Describes an engine.
    public init(
        modelPath: String,
        modelName: ModelName? = nil,
        threads: Int = LlamaConfiguration.availableProcessors,
        slots: Int = 8,
        contextTokens: Int = 4_096,
        prefillChunk: Int = 512
    ) {
        self.modelPath = modelPath
        self.modelName = modelName
        self.threads = threads
        self.slots = slots
        self.contextTokens = contextTokens
        self.prefillChunk = prefillChunk
    }

    /// The processors of this machine that are online.
    public static var availableProcessors: Int { max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }

    /// The smallest context that a slot may have: the cache grows in pieces of this size.
    static let leastContextTokens = 256

    /// The name to serve the model under.
    ///
    /// - Throws: `invalidRequest` if the file's name makes no model name.
    func resolvedName() throws(ApusError) -> ModelName {
        if let modelName { return modelName }
        var file = modelPath.split(separator: "/").last.map(String.init) ?? ""
        if file.hasSuffix(".gguf") { file.removeLast(".gguf".count) }
        guard let name = ModelName(file) else {
            throw ApusError(
                .invalidRequest,
                "the file name of \(modelPath) is no model name (1 to 64 letters, digits, dots, hyphens and underscores); "
                    + "give the model a name of its own"
            )
        }
        return name
    }

    /// Checks every number against its range.
    ///
    /// - Parameter mostSlots: The most sequences that the engine's library takes.
    /// - Throws: `invalidRequest` with a message that names the first bad number.
    func validate(mostSlots: Int) throws(ApusError) {
        func check(_ value: Int, in range: ClosedRange<Int>, _ name: String) throws(ApusError) {
            guard range.contains(value) else {
                throw ApusError(
                    .invalidRequest,
                    "\(name) is \(value); it must be between \(range.lowerBound) and \(range.upperBound)"
                )
            }
        }
        try check(threads, in: 1...512, "threads")
        try check(slots, in: 1...mostSlots, "slots")
        try check(contextTokens, in: Self.leastContextTokens...(1 << 24), "the context of a slot")
        try check(prefillChunk, in: 1...4_096, "the prefill chunk")
    }
}
