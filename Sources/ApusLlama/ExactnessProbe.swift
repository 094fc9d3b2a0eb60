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
        /// A hash of all logits of the sequence when decoded alone.
        var digest: WeightsDigest
        /// Time of a canonical chunk: the slowest, or by its tokens from a smaller one where the context is small.
        var prefillTime: Duration?
        /// Time of the slowest decoding pass of a lone row.
        var stepTime: Duration?
    }

    /// Tokens of the probe's prompt: five canonical chunks of 128 and one token.
    static let promptTokens = 641

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
        let prefillTime = try prefillPrompt()
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
        let replayed = try replay() == alone[steps]
        let accompanied = try decodeBesideCompanions(expecting: alone)
        return Finding(
            exactness: replayed && accompanied ? .exact : .consistent,
            policy: sequences.policy,
            digest: WeightsDigest(of: alone.flatMap { [$0.high, $0.low] }),
            prefillTime: prefillTime,
            stepTime: stepTime
        )
    }

    /// Prefills all of the prompt but its last token, which `chooseLoneRowPolicy` and `decode` feed.
    ///
    /// - Returns: The time that a canonical chunk takes; `nil` where there was none.
    private func prefillPrompt() throws(ApusError) -> Duration? {
        var position = 0
        var slowest: Duration?
        while position < promptCount - 1 {
            let end = min(position + prefillChunk, promptCount - 1)
            let began = MonotonicClock.now()
            try sequences.feed(chunk: tokens[position..<end], to: 0, at: position, wantsLogits: false)
            let time = (MonotonicClock.now() - began) * prefillChunk / (end - position)
            // The remainder behind whole chunks says less than they do.
            if end - position == prefillChunk || slowest == nil { slowest = max(slowest ?? time, time) }
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

    private func replay() throws(ApusError) -> WeightsDigest {
        sequences.retract(0, to: promptCount)
        try sequences.feed(chunk: tokens[promptCount...], to: 0, at: promptCount, wantsLogits: true)
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
                    try sequences.feed(chunk: tokens.prefix(length), to: companions, at: 0, wantsLogits: false)
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
        var rows = [DecodeRow(slot: 0, token: tokens[position], position: position, index: 0)]
        for companion in 0..<companions {
            let place = (companion + 1) * 7 % 64
            rows.append(DecodeRow(slot: companion + 1, token: tokens[place], position: place, index: 0))
        }
        try sequences.feed(rows)
        return try sequences.withLogits(ofRow: 0) { WeightsDigest(of: UnsafeRawBufferPointer($0)) }
    }
}
#endif
