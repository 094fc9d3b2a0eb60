public import ApusModel

/// An engine without a model: its tokens are hashes of seed, prompt and index, its passes take the time they are said to.
///
/// It is what everything around a model is tested and measured against. Nobody can take it for a model: it calls itself
/// `simulated` wherever an engine is named. It really waits for the cost of each pass; a cost of zero costs nothing.
public final class SimulatedEngine: InferenceEngine {
    /// What this engine is and can take.
    public let description: EngineDescription

    private let configuration: SimulatedEngineConfiguration
    private let words = SimulatedVocabulary.words
    /// The stream key of each slot; `nil` for a vacant one.
    private var keys: [UInt64?]

    /// Makes an engine; ready at once.
    public init(_ configuration: SimulatedEngineConfiguration = SimulatedEngineConfiguration()) {
        self.configuration = configuration
        let modelHash = configuration.model.text.stableDigest
        description = EngineDescription(
            engine: "simulated",
            model: configuration.model,
            slots: configuration.slots,
            contextTokens: configuration.contextTokens,
            fingerprint: Fingerprint(
                high: Self.mix(modelHash ^ configuration.weights),
                low: Self.mix(configuration.weights &+ UInt64(configuration.endsOneTokenIn))
            ),
            exactness: configuration.stampsTime ? .consistent : .exact,
            prefillQuantum: configuration.prefillQuantum,
            prefillChunk: configuration.prefillChunk,
            replayChunk: configuration.replayChunk,
            draftWidths: configuration.draftWidths,
            prefillTime: .microseconds(configuration.prefillMicrosecondsPerToken * Double(configuration.prefillChunk)),
            stepTime: .microseconds(configuration.stepMicroseconds + configuration.stepMicrosecondsPerRow)
        )
        keys = Array(repeating: nil, count: configuration.slots)
    }

    // MARK: What the tokens are

    /// The token at an index of a stream: a pure function, so that a test knows a stream without running it.
    ///
    /// - Parameters:
    ///   - seed: The request's seed.
    ///   - prompt: The request's prompt.
    ///   - index: The token's place in the stream.
    ///   - weights: The configuration's `weights`.
    /// - Returns: The token, unless the configuration's end-of-generation rule puts its end there.
    public static func token(seed: UInt64, prompt: String, index: Int, weights: UInt64 = 0) -> TokenID {
        word(mix(key(seed: seed, prompt: prompt, weights: weights) &+ UInt64(index)))
    }

    /// The text of a token; empty for the end-of-generation token and for numbers outside the vocabulary.
    public static func text(of token: TokenID) -> String {
        var bytes: [UInt8] = []
        appendWord(token, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The text of a whole stream of `count` tokens without stop strings.
    public static func text(seed: UInt64, prompt: String, count: Int, weights: UInt64 = 0) -> String {
        let key = key(seed: seed, prompt: prompt, weights: weights)
        var bytes: [UInt8] = []
        for index in 0..<count { appendWord(word(mix(key &+ UInt64(index))), to: &bytes) }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The token at an index of a request's stream; the same as for a prompt where the user's message is the only one.
    public static func token(of request: GenerationRequest, index: Int, weights: UInt64 = 0) -> TokenID {
        let key = key(seed: request.sampling.seed ?? 0, promptDigest: request.promptDigest, weights: weights)
        return word(mix(key &+ UInt64(index)))
    }

    private static func key(seed: UInt64, prompt: String, weights: UInt64) -> UInt64 {
        key(seed: seed, promptDigest: prompt.stableDigest, weights: weights)
    }

    private static func key(seed: UInt64, promptDigest: UInt64, weights: UInt64) -> UInt64 {
        mix(promptDigest ^ mix(seed ^ mix(weights)))
    }

    private static func word(_ bits: UInt64) -> TokenID {
        TokenID(rawValue: Int32(truncatingIfNeeded: bits & UInt64(SimulatedVocabulary.words.count - 1)))
    }

    /// The number that follows in SplitMix64's sequence.
    private static func mix(_ value: UInt64) -> UInt64 { CounterRandom.mix(value &+ CounterRandom.increment) }

    private static func appendWord(
        _ token: TokenID,
        of words: [SimulatedVocabulary.Word] = SimulatedVocabulary.words,
        to bytes: inout [UInt8]
    ) {
        // Histories come from a peer: a number outside the vocabulary has no text.
        guard token.rawValue >= 0, Int(token.rawValue) < words.count else { return }
        bytes.append(contentsOf: words[Int(token.rawValue)])
    }

    // MARK: InferenceEngine

    /// One token a word, and one for each further 4 bytes of it; a role among messages counts as a word.
    public func tokenize(_ request: GenerationRequest) throws(ApusError) -> [TokenID] {
        var tokens: [TokenID] = []
        tokens.reserveCapacity(request.promptBytes / 4 + 1)
        var piece: UInt32 = 0
        var length = 0
        func finishPiece() {
            guard length > 0 else { return }
            tokens.append(TokenID(rawValue: Int32(piece & 0x7FFF_FFFF)))
            piece = 0
            length = 0
        }
        func take(_ text: String) {
            for byte in text.utf8 {
                if byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\t") {
                    finishPiece()
                } else {
                    piece = piece << 8 | UInt32(byte)
                    length += 1
                    if length == 4 { finishPiece() }
                }
            }
            finishPiece()
        }
        if let prompt = request.plainPrompt {
            take(prompt)
        } else {
            for message in request.messages {
                take(message.role)
                take(message.content)
            }
        }
        guard !tokens.isEmpty else { throw ApusError(.invalidRequest, "the prompt gives no token") }
        return tokens
    }

    /// Takes a vacant slot.
    public func occupy(
        slot: Int,
        request: GenerationRequest,
        prompt: [TokenID],
        history: [TokenID]
    ) throws(ApusError) {
        precondition(keys[slot] == nil, "the slot is in use")
        keys[slot] = Self.key(
            seed: request.sampling.seed ?? 0,
            promptDigest: request.promptDigest,
            weights: configuration.weights
        )
    }

    /// Takes the time of the pass and draws.
    public func run(_ pass: Pass, into outcome: inout PassOutcome) throws(ApusError) {
        spend(microseconds: cost(of: pass))
        outcome.removeAll()
        // Nothing but words, one a row: the vocabulary's size is looked up once a pass.
        let drawsWords = configuration.endsOneTokenIn == 0 && !configuration.stampsTime
        let mask = UInt64(words.count - 1)
        for segment in pass.segments {
            guard let index = segment.drawing else {
                outcome.counts.append(0)
                continue
            }
            guard segment.drafts > 0 || !drawsWords else {
                guard let key = keys[segment.slot] else { preconditionFailure("the slot is vacant") }
                let bits = Self.mix(key &+ UInt64(index)) & mask
                outcome.tokens.append(TokenID(rawValue: Int32(truncatingIfNeeded: bits)))
                outcome.counts.append(1)
                continue
            }
            let guesses = pass.tokens[segment.tokens].suffix(segment.drafts)
            var count = 0
            while true {
                let token = draw(slot: segment.slot, index: index + count)
                outcome.tokens.append(token)
                count += 1
                guard count <= guesses.count, guesses[guesses.startIndex + count - 1] == token else { break }
            }
            outcome.counts.append(count)
        }
    }

    /// A decoding pass costs by its rows and by what they have behind them; any other by its tokens.
    private func cost(of pass: Pass) -> Double {
        let isDecoding =
            pass.tokens.count == pass.segments.count || pass.segments.contains { $0.drafts > 0 }
        guard pass.kind == .drawn, isDecoding else {
            return configuration.prefillMicrosecondsPerToken * Double(pass.tokens.count)
        }
        var cost = configuration.stepMicroseconds + configuration.stepMicrosecondsPerRow * Double(pass.tokens.count)
        if configuration.stepMicrosecondsPerContextToken > 0 {
            let context = pass.segments.reduce(0) { $0 + $1.position }
            cost += configuration.stepMicrosecondsPerContextToken * Double(context)
        }
        return cost
    }

    /// Notes how much of a prompt is computed; there is nothing to copy.
    public func snapshot(slot: Int, tokens: Int, isLeaving: Bool) -> PrefixSnapshot? {
        PrefixSnapshot(tokens: tokens, byteCount: tokens * Self.snapshotBytesPerToken)
    }

    /// Takes the beginning as computed.
    public func restore(_ snapshot: PrefixSnapshot, tokens: Int, into slot: Int) -> Bool { true }

    /// What a copied token is said to take, 1 kB.
    private static let snapshotBytesPerToken = 1_024

    /// Appends the word's bytes.
    public func appendText(of token: TokenID, showingSpecials: Bool, to bytes: inout [UInt8]) {
        Self.appendWord(token, of: words, to: &bytes)
    }

    /// Whether this is the end-of-generation token.
    public func endsGeneration(_ token: TokenID) -> Bool {
        token.rawValue == SimulatedVocabulary.endOfGeneration && !configuration.stampsTime
    }

    /// Gives a slot back.
    public func vacate(slot: Int) {
        keys[slot] = nil
    }

    private func draw(slot: Int, index: Int) -> TokenID {
        guard let key = keys[slot] else { preconditionFailure("the slot is vacant") }
        if configuration.stampsTime {
            let microseconds = MonotonicClock.now().nanoseconds / 1_000
            return TokenID(rawValue: Int32(truncatingIfNeeded: microseconds & 0x7FFF_FFFF))
        }
        let bits = Self.mix(key &+ UInt64(index))
        if configuration.endsOneTokenIn > 0, (bits >> 32) % UInt64(configuration.endsOneTokenIn) == 0 {
            return TokenID(rawValue: SimulatedVocabulary.endOfGeneration)
        }
        return Self.word(bits)
    }

    private func spend(microseconds: Double) {
        guard microseconds > 0 else { return }
        MonotonicClock.wait(until: MonotonicClock.now() + .nanoseconds(Int64(microseconds * 1_000)))
    }
}
