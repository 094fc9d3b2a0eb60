import ApusEngine
import ApusModel

/// A simulated engine whose passes, draws and occupations fail now and then, and which keeps count of its slots.
final class FlakyEngine: InferenceEngine {
    let configuration: SimulatedEngineConfiguration
    private let base: SimulatedEngine
    var random: SeededGenerator

    /// One pass in so many fails, and one draw in four times as many; 0: none.
    var failsOneIn = 0

    private(set) var occupied: Set<Int> = []
    /// Tokens in each occupied slot.
    private var lengths: [Int: Int] = [:]

    init(_ configuration: SimulatedEngineConfiguration, seed: UInt64) {
        self.configuration = configuration
        base = SimulatedEngine(configuration)
        random = SeededGenerator(seed: seed)
    }

    var description: EngineDescription { base.description }

    private func fails(oneIn count: Int) -> Bool { count > 0 && Int.random(in: 0..<count, using: &random) == 0 }

    func tokenize(_ request: GenerationRequest) throws(ApusError) -> [TokenID] { try base.tokenize(request) }

    func occupy(
        slot: Int,
        request: GenerationRequest,
        prompt: [TokenID],
        history: [TokenID]
    ) throws(ApusError) {
        if fails(oneIn: failsOneIn * 4) { throw ApusError(.engineFailure, "no slot today") }
        precondition(occupied.insert(slot).inserted)
        lengths[slot] = 0
        try base.occupy(slot: slot, request: request, prompt: prompt, history: history)
    }

    func run(_ pass: Pass, into outcome: inout PassOutcome) throws(ApusError) {
        precondition(pass.segments.map(\.slot) == Set(pass.segments.map(\.slot)).sorted())
        for segment in pass.segments { precondition(lengths[segment.slot] == segment.position) }
        if fails(oneIn: failsOneIn) { throw ApusError(.engineFailure, "no pass today") }
        var drawing = pass
        var failing: [Int] = []
        for place in pass.segments.indices where pass.segments[place].drawing != nil && fails(oneIn: failsOneIn * 4) {
            failing.append(place)
            drawing.segments[place].drawing = nil
        }
        try base.run(drawing, into: &outcome)
        for place in failing {
            outcome.failures.append(.init(segment: place, error: ApusError(.engineFailure, "not a number")))
        }
        for segment in pass.segments { lengths[segment.slot] = segment.position + segment.tokens.count }
    }

    func snapshot(slot: Int, tokens: Int, isLeaving: Bool) -> PrefixSnapshot? {
        base.snapshot(slot: slot, tokens: tokens, isLeaving: isLeaving)
    }

    func restore(_ snapshot: PrefixSnapshot, tokens: Int, into slot: Int) -> Bool {
        precondition(lengths[slot] == 0)
        lengths[slot] = tokens
        return base.restore(snapshot, tokens: tokens, into: slot)
    }

    func appendText(of token: TokenID, showingSpecials: Bool, to bytes: inout [UInt8]) {
        base.appendText(of: token, showingSpecials: showingSpecials, to: &bytes)
    }

    func endsGeneration(_ token: TokenID) -> Bool { base.endsGeneration(token) }

    func vacate(slot: Int) {
        precondition(occupied.remove(slot) != nil)
        lengths[slot] = nil
        base.vacate(slot: slot)
    }
}
