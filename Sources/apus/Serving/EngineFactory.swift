import ApusCore
import ApusEngine
import ApusLlama
import ApusModel
import Foundation

/// Turns a worker's options into the engine that it runs.
enum EngineFactory {
    /// The model that `Scripts/setup.sh` installs.
    static var defaultModelPath: String { Environment.modelsFolder + "/SmolLM2-135M-Instruct-Q4_0.gguf" }

    /// Checks what can be checked before anything is loaded, and says how to make the engine.
    ///
    /// - Returns: Makes the engine on the thread that calls it.
    /// - Throws: `invalidRequest` where the model's file is missing or no file.
    static func make(_ options: EngineOptions) throws(ApusError) -> @Sendable () throws -> any InferenceEngine {
        switch options.engine {
        case .simulated:
            let configuration = simulated(options)
            return { SimulatedEngine(configuration) }
        case .llama:
            let configuration = try llama(options)
            return { try LlamaEngine(configuration: configuration) }
        }
    }

    /// The batch controller's bounds: never more streams in a step than there are slots.
    static func batch(_ options: EngineOptions) -> BatchController.Settings {
        BatchController.Settings(
            minimum: options.minBatch,
            maximum: options.maxBatch ?? max(options.minBatch, slots(options)),
            targetLatency: .milliseconds(options.interTokenMs),
            longestLatency: .milliseconds(2 * options.interTokenMs),
            policy: options.batchPolicy
        )
    }

    private static func slots(_ options: EngineOptions) -> Int {
        options.slots ?? (options.engine == .simulated ? SimulatedEngineConfiguration().slots : 8)
    }

    private static func simulated(_ options: EngineOptions) -> SimulatedEngineConfiguration {
        var configuration = SimulatedEngineConfiguration()
        if let name = options.modelName { configuration.model = name }
        configuration.slots = slots(options)
        if let context = options.context { configuration.contextTokens = context }
        if let time = options.simStepUs { configuration.stepMicroseconds = time }
        if let time = options.simRowUs { configuration.stepMicrosecondsPerRow = time }
        if let time = options.simContextUs { configuration.stepMicrosecondsPerContextToken = time }
        if let tokens = options.prefillChunk {
            configuration.prefillChunk = max(tokens, configuration.prefillQuantum)
        }
        if let time = options.simPrefillUs { configuration.prefillMicrosecondsPerToken = time }
        if let number = options.simEndsOneIn { configuration.endsOneTokenIn = number }
        configuration.stampsTime = options.simStampTime
        return configuration
    }

    private static func llama(_ options: EngineOptions) throws(ApusError) -> LlamaConfiguration {
        let path = options.model ?? Environment.model ?? defaultModelPath
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            let advice =
                options.model == nil && Environment.model == nil
                ? "run Scripts/setup.sh to install it, or name a file with --model"
                : "check the path given with --model or $APUS_MODEL"
            throw ApusError(.invalidRequest, "the model file \(path) does not exist; \(advice)")
        }
        if isFolder.boolValue { throw ApusError(.invalidRequest, "\(path) is a folder; --model takes a GGUF file") }
        var configuration = LlamaConfiguration(modelPath: path, modelName: options.modelName)
        if let threads = options.threads { configuration.threads = threads }
        configuration.slots = slots(options)
        if let context = options.context { configuration.contextTokens = context }
        if let tokens = options.prefillChunk { configuration.prefillChunk = tokens }
        return configuration
    }
}
