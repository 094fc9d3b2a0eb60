#if APUS_LLAMA
public import ApusEngine
public import ApusModel

/// A GGUF model, run by llama.cpp in this process.
///
/// Loading reads the file twice (once to hash it) and runs a probe of about a second, which decides whether the engine calls
/// itself exact. Models with quantised weights of the kinds Q4_0, Q4_1 and Q8_0 are; Q4_K_M and F16 aren't.
///
/// Isolation: an engine belongs to the thread that made it, which llama.cpp uses as one of its own.
public final class LlamaEngine: InferenceEngine {
    /// The most tokens of history in one pass: from 64 on another attention kernel would run than in decoding.
    static let replayChunk = 63

    /// What this engine is and can take; constant.
    public let description: EngineDescription

    private let vocabulary: LlamaVocabulary
    private let template: ChatTemplate?
    private let sequences: LlamaSequences
    private var sampler = TokenSampler()
    private var sampling: [SamplingParameters]

    /// Loads a model and probes it.
    ///
    /// - Throws: `invalidRequest` for an impossible configuration or a file that isn't a language model; `engineFailure`
    ///   where memory is short or a pass of the probe fails.
    public init(configuration: LlamaConfiguration) throws(ApusError) {
        try configuration.validate(mostSlots: LlamaEngine.mostSlots)
        let name = try configuration.resolvedName()
        let file = try ModelFile(path: configuration.modelPath)
        let model = try LlamaModel(file: file)
        let contextTokens =
            model.trainingContext > 0
            ? min(configuration.contextTokens, model.trainingContext) : configuration.contextTokens
        let replayChunk = min(Self.replayChunk, configuration.prefillChunk)
        sequences = try LlamaSequences(
            model: model,
            slots: configuration.slots,
            contextTokens: contextTokens,
            passTokens: configuration.prefillChunk,
            threads: configuration.threads
        )
        vocabulary = LlamaVocabulary(model: model)
        template = ChatTemplate(model: model, vocabulary: vocabulary)
        let finding = try ExactnessProbe(
            sequences: sequences,
            vocabularySize: vocabulary.count,
            prefillChunk: configuration.prefillChunk,
            replayChunk: replayChunk
        ).run()
        description = EngineDescription(
            engine: "llama",
            model: name,
            slots: configuration.slots,
            contextTokens: contextTokens,
            fingerprint: Self.fingerprint(
                weights: try file.digest(),
                finding: finding,
                prefillChunk: configuration.prefillChunk,
                replayChunk: replayChunk
            ),
            exactness: finding.exactness,
            prefillChunk: configuration.prefillChunk,
            replayChunk: replayChunk,
            prefillBudget: configuration.prefillChunk,
            prefillTime: finding.prefillTime,
            stepTime: finding.stepTime,
            acceleratorMemoryMB: LlamaBackend.acceleratorMemoryMB
        )
        sampling = Array(repeating: SamplingParameters(), count: configuration.slots)
    }

    /// Turns a request's prompt into tokens.
    ///
    /// A chat prompt becomes the user's message in the model's template; names of special tokens in it stay text. A raw
    /// prompt goes to the model as it is, and names of special tokens in it become those tokens: whoever writes a raw prompt
    /// writes the template. Both begin with the model's beginning token, if it has one.
    ///
    /// - Throws: `invalidRequest` for a prompt that gives no token, or a chat prompt to a model without a usable template.
    public func tokenize(_ request: GenerationRequest) throws(ApusError) -> [TokenID] {
        var tokens: [TokenID] = []
        if let beginning = vocabulary.beginning { tokens.append(beginning) }
        if request.isRaw {
            tokens += vocabulary.tokenize(request.prompt, parsesSpecials: true)
        } else if let template {
            if template.head.first == tokens.first { tokens.removeAll() }
            tokens += template.head
            tokens += vocabulary.tokenize(request.prompt, parsesSpecials: false)
            tokens += template.tail
        } else {
            throw ApusError(
                .invalidRequest,
                "the model \(description.model) has no chat template that llama.cpp knows; send the prompt raw"
            )
        }
        guard !tokens.isEmpty else { throw ApusError(.invalidRequest, "the prompt gives no token") }
        return tokens
    }

    /// Takes an empty slot for a new sequence; traps if it is occupied.
    public func occupy(slot: Int, request: GenerationRequest, prompt: [TokenID]) {
        sequences.occupy(slot)
        sampling[slot] = request.sampling
    }

    /// Runs one chunk of a sequence, in a pass of its own; traps if `position` isn't the sequence's next.
    ///
    /// - Throws: `engineFailure` where llama.cpp fails, the slot is full or the logits are not numbers; the sequence is then
    ///   as it was.
    public func prefill(
        slot: Int,
        tokens: ArraySlice<TokenID>,
        position: Int,
        drawing index: Int?
    ) throws(ApusError) -> TokenID? {
        try sequences.feed(chunk: tokens, to: slot, at: position, wantsLogits: index != nil)
        guard let index else { return nil }
        do throws(ApusError) {
            return try draw(row: 0, slot: slot, index: index)
        } catch {
            sequences.retract(slot, to: position)
            throw error
        }
    }

    /// Runs one pass with one token for each row and draws the next token of each; traps if a position isn't its
    /// sequence's next.
    ///
    /// - Throws: `engineFailure` where llama.cpp fails, a slot is full or logits are not numbers; no row has then advanced.
    public func decode(_ rows: [DecodeRow], into tokens: inout [TokenID]) throws(ApusError) {
        tokens.removeAll(keepingCapacity: true)
        guard !rows.isEmpty else { return }
        try sequences.feed(rows)
        do throws(ApusError) {
            for (place, row) in rows.enumerated() {
                tokens.append(try draw(row: place, slot: row.slot, index: row.index))
            }
        } catch {
            for row in rows { sequences.retract(row.slot, to: row.position) }
            throw error
        }
    }

    /// Appends the bytes of a token's text, which may be a part of a character; nothing for special tokens.
    public func appendText(of token: TokenID, to bytes: inout [UInt8]) {
        vocabulary.appendText(of: token, to: &bytes)
    }

    /// Whether the model ends its answer with this token.
    public func endsGeneration(_ token: TokenID) -> Bool {
        vocabulary.endsGeneration(token)
    }

    /// Gives a slot back; one that is vacant already stays so.
    public func vacate(slot: Int) {
        sequences.vacate(slot)
    }

    /// As many sequences as llama.cpp takes, under the cluster's own limit.
    private static var mostSlots: Int { min(LlamaModel.mostSequences, Limits.slots) }

    private func draw(row: Int, slot: Int, index: Int) throws(ApusError) -> TokenID {
        try sequences.withLogits(ofRow: row) { logits throws(ApusError) in
            try sampler.draw(from: logits, with: sampling[slot], index: index)
        }
    }

    /// Hashes everything that bits depend on.
    ///
    /// The number of threads isn't among it: the probe's logits speak for it.
    private static func fingerprint(
        weights: WeightsDigest,
        finding: ExactnessProbe.Finding,
        prefillChunk: Int,
        replayChunk: Int
    ) -> Fingerprint {
        let settings = "\(LlamaBackend.version) flash-attention kv-f16 prefill \(prefillChunk) replay \(replayChunk)"
        let named = Array(settings.utf8).withUnsafeBytes(WeightsDigest.init(of:))
        let all = WeightsDigest(
            of: [weights.high, weights.low, finding.digest.high, finding.digest.low, named.high, named.low]
        )
        return Fingerprint(high: all.high, low: all.low)
    }
}
#endif
