#if !APUS_LLAMA
public import ApusEngine
public import ApusModel

/// Stands in for the llama.cpp engine in a build without the trait `Llama`: making one fails with words that say so.
public final class LlamaEngine: InferenceEngine {
    private init(never: Never) {}

    /// Fails: this build has no llama.cpp engine.
    ///
    /// - Throws: `unsupported`, always.
    public init(configuration: LlamaConfiguration) throws(ApusError) {
        throw ApusError(
            .unsupported,
            "this build has no llama.cpp engine; run Scripts/setup.sh and build with the default traits"
        )
    }

    /// Never called: there is no instance.
    public var description: EngineDescription { preconditionFailure("no instance") }

    /// Never called: there is no instance.
    public func tokenize(_ request: GenerationRequest) throws(ApusError) -> [TokenID] {
        preconditionFailure("no instance")
    }

    /// Never called: there is no instance.
    public func occupy(slot: Int, request: GenerationRequest, prompt: [TokenID]) {
        preconditionFailure("no instance")
    }

    /// Never called: there is no instance.
    public func prefill(
        slot: Int,
        tokens: ArraySlice<TokenID>,
        position: Int,
        drawing index: Int?
    ) throws(ApusError) -> TokenID? {
        preconditionFailure("no instance")
    }

    /// Never called: there is no instance.
    public func decode(_ rows: [DecodeRow], into tokens: inout [TokenID]) throws(ApusError) {
        preconditionFailure("no instance")
    }

    /// Never called: there is no instance.
    public func appendText(of token: TokenID, to bytes: inout [UInt8]) {
        preconditionFailure("no instance")
    }

    /// Never called: there is no instance.
    public func endsGeneration(_ token: TokenID) -> Bool {
        preconditionFailure("no instance")
    }

    /// Never called: there is no instance.
    public func vacate(slot: Int) {
        preconditionFailure("no instance")
    }
}
#endif
