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

    /// Calls of `decode`, by their slots.
    private(set) var passes: [[Int]] = []

    /// Chunks of `prefill`.
    private(set) var chunks: [Range<Int>] = []

    /// The occupied slots.
    private(set) var occupied: Set<Int> = []

    init(vocabulary: [[UInt8]], slots: Int = 4, contextTokens: Int = 1_000, prefillBudget: Int = 8) {
        self.vocabulary = vocabulary
        description = EngineDescription(
            engine: "scripted",
            model: ModelName(unchecked: "scripted"),
            slots: slots,
            contextTokens: contextTokens,
            fingerprint: Fingerprint(high: 0, low: 0),
            exactness: .exact,
            prefillChunk: 8,
            replayChunk: 5,
            prefillBudget: prefillBudget
        )
    }

    func tokenize(_ request: GenerationRequest) throws(ApusError) -> [TokenID] {
        if request.prompt.utf8.first == UInt8(ascii: "!") { throw ApusError(.invalidRequest, "no such prompt") }
        return request.prompt.utf8.map { TokenID(rawValue: Int32($0)) }
    }

    func occupy(slot: Int, request: GenerationRequest, prompt: [TokenID]) {
        precondition(occupied.insert(slot).inserted)
    }

    func prefill(
        slot: Int,
        tokens: ArraySlice<TokenID>,
        position: Int,
        drawing index: Int?
    ) throws(ApusError) -> TokenID? {
        precondition(occupied.contains(slot))
        chunks.append(position..<position + tokens.count)
        if failingSlots.contains(slot) { throw ApusError(.engineFailure, "slot \(slot) fails") }
        return index.map { script[$0 % script.count] }
    }

    func decode(_ rows: [DecodeRow], into tokens: inout [TokenID]) throws(ApusError) {
        precondition(rows.allSatisfy { occupied.contains($0.slot) })
        passes.append(rows.map(\.slot))
        if let failing = rows.first(where: { failingSlots.contains($0.slot) }) {
            throw ApusError(.engineFailure, "slot \(failing.slot) fails")
        }
        tokens = rows.map { script[$0.index % script.count] }
    }

    func appendText(of token: TokenID, to bytes: inout [UInt8]) {
        bytes += vocabulary[Int(token.rawValue)]
    }

    func endsGeneration(_ token: TokenID) -> Bool { token == endOfGeneration }

    func vacate(slot: Int) {
        precondition(occupied.remove(slot) != nil)
    }
}
