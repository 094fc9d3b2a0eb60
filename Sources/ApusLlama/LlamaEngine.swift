#if APUS_LLAMA
public import ApusEngine
import ApusGrammar
public import ApusModel

/// A GGUF model, run by llama.cpp in this process.
///
/// Loading reads the file twice (once to hash it) and runs a probe of about a second, which decides whether the engine calls
/// itself exact. Models with quantised weights of the kinds Q4_0, Q4_1 and Q8_0 are; Q4_K_M and F16 aren't.
///
/// Isolation: an engine belongs to the thread that made it, which llama.cpp uses as one of its own.
public final class LlamaEngine: InferenceEngine {
    /// Widths of passes with guesses: never a multiple of 8, the mark of a prompt's passes.
    private static let draftWidths = [2, 3, 4, 5, 7, 9, 12, 15, 17, 20, 23, 28, 31]

    /// The most tokens of history in one pass: from 64 on another attention kernel would run than in decoding.
    static let replayChunk = 63

    /// What this engine is and can take; constant.
    public let description: EngineDescription

    private let vocabulary: LlamaVocabulary
    private let chat: Result<ChatTokenizer, ApusError>
    private let sequences: LlamaSequences
    private let samplerVocabulary: SamplerVocabulary
    private let scratch = SamplerScratch()
    /// Knows which tokens a grammar allows, and the grammars of late.
    private var matcher: TokenMatcher?
    private var grammars = GrammarShelf()
    private var drawings: [StreamDrawing?]
    private var rows: [DecodeRow] = []

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
        // One token alone takes its own way, two may be split: three is the least that a history is cut into.
        let replayChunk = max(3, min(Self.replayChunk, configuration.prefillChunk))
        sequences = try LlamaSequences(
            model: model,
            slots: configuration.slots,
            contextTokens: contextTokens,
            passTokens: configuration.prefillChunk,
            threads: configuration.threads
        )
        let vocabulary = LlamaVocabulary(model: model)
        self.vocabulary = vocabulary
        let ends = (0..<vocabulary.count).filter { vocabulary.endsGeneration(TokenID(rawValue: Int32($0))) }
        samplerVocabulary = SamplerVocabulary(
            size: vocabulary.count,
            endOfGeneration: ends.map { TokenID(rawValue: Int32($0)) },
            appendText: { vocabulary.appendText(of: $0, to: &$1) }
        )
        matcher = TokenMatcher(vocabulary: VocabularyTrie(pieces: vocabulary.pieces, endTokens: ends))
        chat = Result { () throws(ApusError) in try ChatTokenizer(model: model, vocabulary: vocabulary) }
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
                replayChunk: replayChunk,
                padsPrompts: sequences.padsPrompts
            ),
            exactness: finding.exactness,
            prefillQuantum: finding.quantum,
            prefillChunk: finding.quantum < ExactnessProbe.fixedChunk ? configuration.prefillChunk : finding.quantum,
            replayChunk: replayChunk,
            draftWidths: finding.exactness == .exact && model.canRetract ? Self.draftWidths : [],
            prefillTime: finding.prefillTime,
            stepTime: finding.stepTime,
            acceleratorMemoryMB: LlamaBackend.acceleratorMemoryMB,
            vocabularySize: vocabulary.count,
            chatTemplate: model.chatTemplate.map { Self.shown(template: $0) }
        )
        drawings = Array(repeating: nil, count: configuration.slots)
    }

    /// Turns a request's prompt or messages into tokens.
    ///
    /// Messages go through the model's template, and so does a prompt, as the user's message; names of special tokens
    /// in them stay text. A raw prompt goes to the model as it is, and names of special tokens in it become those
    /// tokens: whoever writes a raw prompt writes the template. All begin with the model's beginning token once, if it
    /// has one.
    ///
    /// - Throws: `invalidRequest` for a prompt that gives no token, for messages that the template refuses, or for a
    ///   chat with a model that has no usable template.
    public func tokenize(_ request: GenerationRequest) throws(ApusError) -> [TokenID] {
        var tokens: [TokenID]
        if request.isRaw {
            tokens = vocabulary.tokenize(request.prompt, parsesSpecials: true)
            if let beginning = vocabulary.beginning { tokens.insert(beginning, at: 0) }
        } else {
            switch chat {
            case .success(let chat): tokens = try chat.tokenize(request.chat)
            case .failure(let error):
                throw ApusError(
                    .invalidRequest,
                    "the model \(description.model) \(error.message); send a raw prompt instead"
                )
            }
            // Many templates write the beginning token themselves.
            if let beginning = vocabulary.beginning, tokens.first != beginning { tokens.insert(beginning, at: 0) }
        }
        guard !tokens.isEmpty else { throw ApusError(.invalidRequest, "the prompt gives no token") }
        try check(request)
        return tokens
    }

    /// Checks what depends on the vocabulary.
    private func check(_ request: GenerationRequest) throws(ApusError) {
        if let entry = request.sampling.logitBias.first(where: { $0.token.rawValue >= Int32(vocabulary.count) }) {
            throw ApusError(
                .invalidRequest,
                "logit_bias names token \(entry.token.rawValue); the model has the tokens 0 to \(vocabulary.count - 1)"
            )
        }
        if let constraint = request.constraint { _ = try grammars.grammar(of: constraint) }
    }

    /// Takes a vacant slot for a new sequence; traps if it is occupied.
    public func occupy(
        slot: Int,
        request: GenerationRequest,
        prompt: [TokenID],
        history: [TokenID]
    ) throws(ApusError) {
        var grammar: Grammar?
        if let constraint = request.constraint { grammar = try grammars.grammar(of: constraint) }
        var drawing = try StreamDrawing(
            request: request,
            prompt: prompt,
            vocabulary: samplerVocabulary,
            grammar: grammar
        )
        for token in history { try drawing.accept(token, matcher: matcher) }
        sequences.occupy(slot)
        drawings[slot] = drawing
    }

    /// Runs one pass and draws; traps if a position isn't its sequence's next.
    ///
    /// - Throws: `engineFailure` where llama.cpp fails or a slot is full; no segment has then advanced.
    public func run(_ pass: Pass, into outcome: inout PassOutcome) throws(ApusError) {
        outcome.removeAll()
        if pass.segments.count == 1, let segment = pass.segments.first {
            let tokens = pass.tokens[segment.tokens]
            if pass.kind == .prompt {
                let wantsLogits = segment.drawing != nil
                try sequences.feed(
                    prompt: tokens,
                    to: segment.slot,
                    at: segment.position,
                    wantsLogits: wantsLogits
                )
            } else {
                let logits = segment.drawing == nil ? 0 : segment.drafts + 1
                try sequences.feed(drawn: tokens, to: segment.slot, at: segment.position, logits: logits)
            }
        } else {
            rows.removeAll(keepingCapacity: true)
            for segment in pass.segments {
                precondition(segment.tokens.count == 1, "several sequences get one token each")
                let token = pass.tokens[segment.tokens.lowerBound]
                rows.append(DecodeRow(slot: segment.slot, token: token, position: segment.position))
            }
            try sequences.feed(rows)
        }
        let began = MonotonicClock.now()
        for place in pass.segments.indices { draw(place, of: pass, into: &outcome) }
        outcome.drawTime = MonotonicClock.now() - began
    }

    /// Draws a segment's tokens, as far as its guesses are right.
    private func draw(_ place: Int, of pass: Pass, into outcome: inout PassOutcome) {
        let segment = pass.segments[place]
        guard let index = segment.drawing else { return outcome.counts.append(0) }
        let sure = segment.tokens.count - segment.drafts
        var count = 0
        do throws(ApusError) {
            while true {
                let row = pass.segments.count == 1 ? count : place
                let (token, logprobs) = try draw(row: row, slot: segment.slot, index: index + count)
                outcome.tokens.append(token)
                if let logprobs { note(logprobs, in: &outcome) }
                count += 1
                guard count <= segment.drafts, pass.tokens[segment.tokens.lowerBound + sure + count - 1] == token
                else { break }
            }
        } catch {
            outcome.tokens.removeLast(count)
            count = 0
            outcome.failures.append(PassOutcome.Failure(segment: place, error: error))
        }
        outcome.counts.append(count)
        // Of the guesses those stay that were drawn.
        if segment.drafts > 0 {
            sequences.retract(segment.slot, to: segment.position + sure + max(0, count - 1))
        }
    }

    /// Copies the state of a sequence's beginning; `nil` where llama.cpp can't.
    public func snapshot(slot: Int, tokens: Int, isLeaving: Bool) -> PrefixSnapshot? {
        guard sequences.length(of: slot) >= tokens else { return nil }
        if isLeaving { sequences.retract(slot, to: tokens) }
        return sequences.state(of: slot).map { LlamaSnapshot(state: $0, tokens: tokens) }
    }

    /// Gives a sequence without tokens the beginning that another had.
    public func restore(_ snapshot: PrefixSnapshot, tokens: Int, into slot: Int) -> Bool {
        guard let snapshot = snapshot as? LlamaSnapshot else { return false }
        return sequences.restore(snapshot.state, tokens: tokens, into: slot)
    }

    /// Appends the bytes of a token's text, which may be a part of a character.
    public func appendText(of token: TokenID, showingSpecials: Bool, to bytes: inout [UInt8]) {
        vocabulary.appendText(of: token, showingSpecials: showingSpecials, to: &bytes)
    }

    /// Whether the model ends its answer with this token.
    public func endsGeneration(_ token: TokenID) -> Bool {
        vocabulary.endsGeneration(token)
    }

    /// Gives a slot back; one that is vacant already stays so.
    public func vacate(slot: Int) {
        sequences.vacate(slot)
        drawings[slot] = nil
    }

    /// As many sequences as llama.cpp takes, under the cluster's own limit.
    private static var mostSlots: Int { min(LlamaModel.mostSequences, Limits.slots) }

    /// A template's source, cut between two characters where it is too long to be shown.
    private static func shown(template source: String) -> String {
        let bytes = source.utf8
        let end = bytes.index(bytes.startIndex, offsetBy: Limits.shownTemplateBytes, limitedBy: bytes.endIndex)
        return String(source[..<(end ?? source.endIndex)])
    }

    private func draw(
        row: Int,
        slot: Int,
        index: Int
    ) throws(ApusError) -> (token: TokenID, logprobs: TokenLogprobs?) {
        try sequences.withLogits(ofRow: row) { logits throws(ApusError) in
            guard let drawn = try drawings[slot]?.draw(from: logits, index: index, matcher: &matcher, scratch: scratch)
            else { preconditionFailure("slot \(slot) is vacant") }
            return drawn
        }
    }

    /// Keeps a token's log probabilities with it.
    private func note(_ logprobs: TokenLogprobs, in outcome: inout PassOutcome) {
        while outcome.details.count < outcome.tokens.count - 1 { outcome.details.append(nil) }
        outcome.details.append(
            TokenDetail(
                logprob: logprobs.drawn.logprob,
                top: logprobs.alternatives.map { entry in
                    var text: [UInt8] = []
                    vocabulary.appendText(of: entry.token, showingSpecials: true, to: &text)
                    return TokenDetail.Alternative(id: entry.token, logprob: entry.logprob, text: text)
                }
            )
        )
    }

    /// Hashes everything that bits depend on.
    ///
    /// The number of threads isn't among it: the probe's logits speak for it.
    private static func fingerprint(
        weights: WeightsDigest,
        finding: ExactnessProbe.Finding,
        replayChunk: Int,
        padsPrompts: Bool
    ) -> Fingerprint {
        let prompts = padsPrompts ? "in quanta of \(finding.quantum)" : "in chunks of \(finding.quantum)"
        let settings = "\(LlamaBackend.version) flash-attention kv-f16 prefill \(prompts) replay \(replayChunk)"
        let named = Array(settings.utf8).withUnsafeBytes(WeightsDigest.init(of:))
        let all = WeightsDigest(
            of: [weights.high, weights.low, finding.digest.high, finding.digest.low, named.high, named.low]
        )
        return Fingerprint(high: all.high, low: all.low)
    }
}
#endif
