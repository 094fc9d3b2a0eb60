#if APUS_LLAMA
import ApusEngine
import ApusModel

/// Measures, at load, whether this build on this machine computes the same bits in every way that a stream may take.
///
/// A fixed sequence of 641 tokens is prefilled in canonical chunks, the last one a lone token far behind the point where
/// attention may change its ways. From there the same 63 tokens are decoded alone, replayed in one chunk, and decoded beside
/// rising numbers of companions. The logits of all of it go into the fingerprint: machines that differ in a bit there have
/// different fingerprints, and those that don't may continue each other's streams.
struct ExactnessProbe {
    /// What the probe showed.
    struct Finding {
        /// Whether all ways gave equal bits.
        var exactness: ExactnessClass
        /// What lone rows need.
        var policy: LoneRowPolicy
        /// Tokens of the smallest piece of a prompt that has the same bits in whatever chunks it comes.
        var quantum: Int
        /// A hash of all logits of the sequence when decoded alone.
        var digest: WeightsDigest
        /// Time of a canonical chunk: the slowest, or by its tokens from a smaller one where the context is small.
        var prefillTime: Duration?
        /// Time of the slowest decoding pass of a lone row.
        var stepTime: Duration?
    }

    /// Tokens of a prompt's chunk where they must always be the same.
    static let fixedChunk = 128

    /// Tokens of the probe's prompt: five canonical chunks of 128 and one token.
    static let promptTokens = 641

    /// Whether two cuts of a prompt gave the same logits; a test says what it likes.
    var areEqualCuts: (WeightsDigest, WeightsDigest) -> Bool = { $0 == $1 }

    private let sequences: LlamaSequences
    private let tokens: [TokenID]
    private let prefillChunk: Int
    private let promptCount: Int
    private let steps: Int

    /// Prepares a probe of sequences that are all vacant.
    init(sequences: LlamaSequences, vocabularySize: Int, prefillChunk: Int, replayChunk: Int) {
        self.sequences = sequences
        self.prefillChunk = prefillChunk
        // A small context gets a shorter probe; what it can't reach needs no proof.
        promptCount = max(1, min(Self.promptTokens, sequences.contextTokens - replayChunk))
        steps = min(replayChunk, sequences.contextTokens - promptCount)
        tokens = (0..<promptCount + steps).map { index in
            TokenID(rawValue: Int32(CounterRandom.bits(seed: 0, index: UInt64(index)) % UInt64(vocabularySize)))
        }
    }

    /// Runs the probe, sets the sequences' policy and leaves all slots vacant.
    ///
    /// - Throws: `engineFailure` if a pass fails.
    func run() throws(ApusError) -> Finding {
        sequences.occupy(0)
        defer { sequences.vacate(0) }
        let quantum = try chooseQuantum()
        let prefillTime = try prefillPrompt(chunk: quantum < Self.fixedChunk ? prefillChunk : quantum)
        try chooseLoneRowPolicy()
        var alone: [WeightsDigest] = []
        alone.append(try decode(step: -1, beside: 0))
        var stepTime: Duration?
        for step in 0..<steps {
            let began = MonotonicClock.now()
            alone.append(try decode(step: step, beside: 0))
            let time = MonotonicClock.now() - began
            stepTime = max(stepTime ?? time, time)
        }
        // Step -1 is the prompt's last token; alone[step + 1] belongs to step.
        let replayed = try replay(steps) == alone[steps]
        var guessed = true
        for width in [4, 20] where width <= steps { guessed = try replay(width) == alone[width] && guessed }
        let accompanied = try decodeBesideCompanions(expecting: alone)
        return Finding(
            exactness: replayed && guessed && accompanied ? .exact : .consistent,
            policy: sequences.policy,
            quantum: quantum,
            digest: WeightsDigest(of: alone.flatMap { [$0.high, $0.low] }),
            prefillTime: prefillTime,
            stepTime: stepTime
        )
    }

    /// Prefills all of the prompt but its last token, which `chooseLoneRowPolicy` and `decode` feed.
    ///
    /// - Returns: The time that a canonical chunk takes; `nil` where there was none.
    private func prefillPrompt(chunk: Int) throws(ApusError) -> Duration? {
        var position = 0
        var slowest: Duration?
        while position < promptCount - 1 {
            let end = min(position + chunk, promptCount - 1)
            let began = MonotonicClock.now()
            try sequences.feed(prompt: tokens[position..<end], to: 0, at: position, wantsLogits: false)
            let time = (MonotonicClock.now() - began) * chunk / (end - position)
            // The remainder behind whole chunks says less than they do.
            if end - position == chunk || slowest == nil { slowest = max(slowest ?? time, time) }
            position = end
        }
        return slowest
    }

    private func chooseLoneRowPolicy() throws(ApusError) {
        sequences.policy = .asIs
        let lone = try decode(step: -1, beside: 0)
        sequences.retract(0, to: promptCount - 1)
        sequences.policy = sequences.slots > 1 ? .besideCompanion : .onOneThread
        if try decode(step: -1, beside: 0) == lone { sequences.policy = .asIs }
        sequences.retract(0, to: promptCount - 1)
    }

    /// Finds out whether a prompt's bits depend on how it is cut: whole against many small chunks of different widths.
    private func chooseQuantum() throws(ApusError) -> Int {
        let quantum = 8
        sequences.padsPrompts = true
        // A whole chunk and a half, and an end that is no whole quantum.
        let count = min(promptCount - 1, prefillChunk + prefillChunk / 2 + 3)
        guard prefillChunk % quantum == 0, count > 3 * quantum else {
            sequences.padsPrompts = false
            return min(prefillChunk, Self.fixedChunk)
        }
        let whole = try prefill(count, widths: [prefillChunk])
        let pieces = try prefill(count, widths: [8, 24, 16, 64, 40])
        sequences.padsPrompts = areEqualCuts(whole, pieces)
        return sequences.padsPrompts ? quantum : min(prefillChunk, Self.fixedChunk)
    }

    /// Prefills in chunks whose widths repeat, hashes the last logits and takes everything back.
    private func prefill(_ count: Int, widths: [Int]) throws(ApusError) -> WeightsDigest {
        var position = 0
        var place = 0
        while position < count {
            let end = min(count, position + widths[place % widths.count])
            try sequences.feed(prompt: tokens[position..<end], to: 0, at: position, wantsLogits: end == count)
            position = end
            place += 1
        }
        let digest = try sequences.withLogits(ofRow: 0) { WeightsDigest(of: UnsafeRawBufferPointer($0)) }
        sequences.retract(0, to: 0)
        return digest
    }

    private func replay(_ count: Int) throws(ApusError) -> WeightsDigest {
        sequences.retract(0, to: promptCount)
        let replayed = tokens[promptCount..<promptCount + count]
        try sequences.feed(drawn: replayed, to: 0, at: promptCount, logits: 1)
        return try sequences.withLogits(ofRow: 0) { WeightsDigest(of: UnsafeRawBufferPointer($0)) }
    }

    private func decodeBesideCompanions(expecting alone: [WeightsDigest]) throws(ApusError) -> Bool {
        sequences.retract(0, to: promptCount)
        var companions = 0
        defer { for slot in 0..<companions { sequences.vacate(slot + 1) } }
        var areEqual = true
        for (step, wanted) in [1, 2, 3, 4, 7, 15].filter({ $0 < sequences.slots }).prefix(steps).enumerated() {
            while companions < wanted {
                companions += 1
                sequences.occupy(companions)
                // Companions of different lengths, as in a real step.
                let length = companions * 7 % 64
                if length > 0 {
                    try sequences.feed(drawn: tokens.prefix(length), to: companions, at: 0, logits: 0)
                }
            }
            areEqual = try decode(step: step, beside: companions) == alone[step + 1] && areEqual
            for companion in 1...companions { sequences.retract(companion, to: companion * 7 % 64) }
        }
        return areEqual
    }

    /// Feeds the token of a step to slot 0, beside companions in the slots after it, and hashes its logits.
    private func decode(step: Int, beside companions: Int) throws(ApusError) -> WeightsDigest {
        let position = promptCount + step
        var rows = [DecodeRow(slot: 0, token: tokens[position], position: position)]
        for companion in 0..<companions {
            let place = (companion + 1) * 7 % 64
            rows.append(DecodeRow(slot: companion + 1, token: tokens[place], position: place))
        }
        try sequences.feed(rows)
        return try sequences.withLogits(ofRow: 0) { WeightsDigest(of: UnsafeRawBufferPointer($0)) }
    }
}
#endif
