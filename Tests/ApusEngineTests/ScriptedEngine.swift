import ApusEngine
import ApusModel

/// An engine that speaks given bytes, one token each, and fails on request; for tests of what surrounds an engine.
final class ScriptedEngine: InferenceEngine {
    /// What this engine is.
    var description: EngineDescription

    /// The texts of the tokens, by vocabulary number.
    var vocabulary: [[UInt8]]

    /// The token of each index, for every stream.
    var script: [TokenID] = []

    /// The token that ends an answer.
    var endOfGeneration: TokenID?

    /// Slots whose passes fail.
    var failingSlots: Set<Int> = []

    /// Slots whose draws fail, while their passes succeed.
    var failingDraws: Set<Int> = []

    /// How many of the next passes fail.
    var failures = 0

    /// Tokens whose text is hidden, unless specials are shown.
    var specials: Set<TokenID> = []

    /// What drawing is said to have taken.
    var drawTime: Duration = .zero

    /// Called in each pass before anything else, and in each tokenisation.
    var passing: () -> Void = {}
    var tokenizing: () -> Void = {}

    /// The passes, by their slots.
    private(set) var passes: [[Int]] = []

    /// The passes' kinds.
    private(set) var kinds: [Pass.Kind] = []

    /// Chunks of prompts.
    private(set) var chunks: [Range<Int>] = []

    /// Tokens that were taken from snapshots.
    private(set) var restored: [Int] = []

    /// The occupied slots.
    private(set) var occupied: Set<Int> = []

    init(vocabulary: [[UInt8]], slots: Int = 4, contextTokens: Int = 1_000) {
        self.vocabulary = vocabulary
        description = EngineDescription(
            engine: "scripted",
            model: ModelName(unchecked: "scripted"),
            slots: slots,
            contextTokens: contextTokens,
            fingerprint: Fingerprint(high: 0, low: 0),
            exactness: .exact,
            prefillQuantum: 4,
            prefillChunk: 8,
            replayChunk: 5
        )
    }

    /// An engine that says nothing but `x`.
    static func ofX(slots: Int = 4, contextTokens: Int = 1_000) -> ScriptedEngine {
        let engine = ScriptedEngine(vocabulary: [Array("x".utf8)], slots: slots, contextTokens: contextTokens)
        engine.script = [TokenID(rawValue: 0)]
        return engine
    }

    func tokenize(_ request: GenerationRequest) throws(ApusError) -> [TokenID] {
        tokenizing()
        if request.prompt.utf8.first == UInt8(ascii: "!") { throw ApusError(.invalidRequest, "no such prompt") }
        return request.prompt.utf8.map { TokenID(rawValue: Int32($0)) }
    }

    func occupy(
        slot: Int,
        request: GenerationRequest,
        prompt: [TokenID],
        history: [TokenID]
    ) throws(ApusError) {
        if request.prompt.utf8.first == UInt8(ascii: "?") { throw ApusError(.engineFailure, "no such history") }
        precondition(occupied.insert(slot).inserted)
    }

    func run(_ pass: Pass, into outcome: inout PassOutcome) throws(ApusError) {
        outcome.removeAll()
        outcome.drawTime = drawTime
        passing()
        precondition(pass.segments.allSatisfy { occupied.contains($0.slot) })
        passes.append(pass.segments.map(\.slot))
        kinds.append(pass.kind)
        if pass.kind == .prompt {
            for segment in pass.segments { chunks.append(segment.position..<segment.position + segment.tokens.count) }
        }
        if failures > 0 {
            failures -= 1
            throw ApusError(.engineFailure, "a pass fails")
        }
        if let failing = pass.segments.first(where: { failingSlots.contains($0.slot) }) {
            throw ApusError(.engineFailure, "slot \(failing.slot) fails")
        }
        for (place, segment) in pass.segments.enumerated() {
            guard let index = segment.drawing else {
                outcome.counts.append(0)
                continue
            }
            if failingDraws.contains(segment.slot) {
                outcome.counts.append(0)
                let error = ApusError(.engineFailure, "the logits are not numbers")
                outcome.failures.append(PassOutcome.Failure(segment: place, error: error))
                continue
            }
            let guesses = Array(pass.tokens[segment.tokens].suffix(segment.drafts))
            var count = 0
            repeat {
                outcome.tokens.append(script[(index + count) % script.count])
                count += 1
            } while count <= guesses.count && guesses[count - 1] == outcome.tokens.last
            outcome.counts.append(count)
        }
    }

    func snapshot(slot: Int, tokens: Int, isLeaving: Bool) -> PrefixSnapshot? {
        PrefixSnapshot(tokens: tokens, byteCount: tokens)
    }

    func restore(_ snapshot: PrefixSnapshot, tokens: Int, into slot: Int) -> Bool {
        restored.append(tokens)
        return true
    }

    func appendText(of token: TokenID, showingSpecials: Bool, to bytes: inout [UInt8]) {
        if showingSpecials || !specials.contains(token) { bytes += vocabulary[Int(token.rawValue)] }
    }

    func endsGeneration(_ token: TokenID) -> Bool { token == endOfGeneration }

    func vacate(slot: Int) {
        precondition(occupied.remove(slot) != nil)
    }
}
