public import ApusGrammar
public import ApusModel

/// Draws one sequence's tokens; a draw depends on the logits, the request, its seed, the index and the tokens before it.
///
/// The steps are those of `SamplingParameters`, in its order. Exactly:
/// - The repetition penalty looks at the last `penaltyWindow` tokens of prompt and output, once for each different token;
///   frequency and presence count the output alone; DRY looks at both (see `RepetitionSearch` for its bounds).
/// - Tokens that the mask leaves out, that have a bias of -100, or that would end the answer before `minimumTokens`, can't
///   be drawn. Whatever else is done to a finite logit leaves it finite.
/// - Temperature 0 takes the highest logit. Otherwise a token's weight is e^((logit - highest) / temperature), and none if that
///   is below e^-32. Top-k keeps the first tokens by logit; typical those nearest to the mean distance, up to the first that
///   brings their weights to its share of what is left; top-p the same by logit; min-p those with its part of the highest
///   weight left. The draw takes the token at the share `CounterRandom.uniform(seed, index)` of the weights left, in the
///   order of tokens.
/// - Of equals the lower token comes first, everywhere.
///
/// Arithmetic is the same on every machine, so that equal logits give equal tokens everywhere.
public struct SequenceSampler {
    /// How many tokens of the output were accepted.
    public private(set) var generated = 0

    private let parameters: SamplingParameters
    private let minimumTokens: Int
    private let endOfGeneration: [TokenID]
    private var ledger: RepetitionLedger?
    private var search: RepetitionSearch?

    /// A sampler before its sequence's first token.
    ///
    /// - Parameters:
    ///   - request: What to draw, as `GenerationRequest.validate` allows; a missing seed counts as 0.
    ///   - prompt: The prompt's tokens.
    ///   - vocabulary: The model's vocabulary.
    public init(request: GenerationRequest, prompt: [TokenID], vocabulary: SamplerVocabulary) {
        parameters = request.sampling
        minimumTokens = request.minimumTokens
        endOfGeneration = request.minimumTokens > 0 ? vocabulary.endOfGeneration : []
        let window = parameters.repetitionPenalty != 1 ? parameters.penaltyWindow : 0
        let countsOutput = parameters.frequencyPenalty != 0 || parameters.presencePenalty != 0
        if window > 0 || countsOutput {
            var ledger = RepetitionLedger(window: window, countsOutput: countsOutput)
            for token in prompt.suffix(window) { ledger.accept(token, isOutput: false) }
            self.ledger = ledger
        }
        if let dry = parameters.dry, dry.multiplier > 0 {
            var search = RepetitionSearch(parameters: dry, vocabulary: vocabulary)
            for token in prompt { search.accept(token) }
            self.search = search
        }
    }

    /// Takes the output's next token; a sampler that accepted a history goes on as the one that drew it.
    public mutating func accept(_ token: TokenID) {
        generated += 1
        ledger?.accept(token, isOutput: true)
        search?.accept(token)
    }

    /// Draws the token with an index.
    ///
    /// - Parameters:
    ///   - logits: One logit for each token of the vocabulary; they stay as they are.
    ///   - index: The token's place in its stream, from 0.
    ///   - mask: The tokens that may be drawn; `nil`: all.
    ///   - isRepeated: Whether this is the second draw for the index: it uses a number that is independent of the first.
    ///   - scratch: Working memory, of the calling thread.
    /// - Returns: The drawn token.
    /// - Throws: `engineFailure` if a logit that counts is not a number, the highest is infinite, or no token is left.
    public func draw(
        from logits: UnsafeBufferPointer<Float>,
        index: Int,
        mask: TokenMask? = nil,
        isRepeated: Bool = false,
        scratch: SamplerScratch
    ) throws(ApusError) -> TokenID {
        let pages = scratch.pages
        pages.open(logits, mask: mask)
        let excludes = adjust(pages, index: index, found: &scratch.repetitions)
        guard let best = pages.scan(), best.logit < .infinity else {
            throw ApusError(.engineFailure, "the model's logits are not numbers at index \(index)")
        }
        guard best.logit > -.infinity else {
            throw ApusError(
                .engineFailure,
                mask != nil || excludes
                    ? "no token is left to draw at index \(index): grammar, logit bias and min_tokens exclude all of them"
                    : "the model's logits leave no token to draw at index \(index)"
            )
        }
        guard parameters.temperature > 0, parameters.topK != 1 else { return TokenID(rawValue: Int32(best.token)) }
        // Streams have far fewer tokens than half of all numbers.
        let number = UInt64(index) | (isRepeated ? 1 << 63 : 0)
        let share = CounterRandom.uniform(seed: parameters.seed ?? 0, index: number)
        return TokenID(rawValue: Int32(draw(at: share, best: best, scratch: scratch)))
    }

    /// Changes the logits of the few tokens that bias, bans and penalties are about.
    ///
    /// - Returns: Whether any token was banned.
    private func adjust(_ pages: LogitPages, index: Int, found: inout [UInt64]) -> Bool {
        var excludes = false
        for entry in parameters.logitBias {
            let token = Int(entry.token.rawValue)
            if entry.bias > -100 {
                pages.change(token) { $0 + entry.bias }
            } else {
                pages.ban(token)
                excludes = true
            }
        }
        if index < minimumTokens {
            for token in endOfGeneration { pages.ban(Int(token.rawValue)) }
            excludes = true
        }
        if let ledger {
            let penalty = parameters.repetitionPenalty
            for entry in ledger.entries {
                pages.change(Int(entry.token.rawValue)) { logit in
                    var logit = logit
                    if entry.recent > 0 { logit = logit > 0 ? logit / penalty : logit * penalty }
                    guard entry.generated > 0 else { return logit }
                    return logit - (Double(entry.generated) * parameters.frequencyPenalty + parameters.presencePenalty)
                }
            }
        }
        if let search {
            search.find(into: &found)
            found.sort()
            for place in found.indices {
                // Of a token's lengths the longest is the last.
                let next = place + 1 < found.count ? found[place + 1] >> 32 : .max
                guard found[place] >> 32 != next else { continue }
                let penalty = search.penalty(length: Int(found[place] & 0xFFFF_FFFF))
                pages.change(Int(Int32(bitPattern: UInt32(found[place] >> 32)))) { $0 - penalty }
            }
        }
        return excludes
    }

    /// The token at a share of the weights that the filters leave.
    private func draw(at share: Double, best: (token: Int, logit: Float), scratch: SamplerScratch) -> Int {
        let scale = Float(1 / max(parameters.temperature, 1e-6))
        guard parameters.topK == 0, parameters.typicalP == 1, parameters.topP < 1 || parameters.minP == 0 else {
            return drawNarrowed(at: share, best: best, scale: scale, scratch: scratch)
        }
        let (pages, weighed) = (scratch.pages, scratch.weighed)
        let mass = weighed.weigh(pages, highest: best.logit, scale: scale)
        guard parameters.topP < 1 else { return weighed.token(at: share * mass, of: pages) ?? best.token }
        // Tokens below the mean of what is dropped can't add up to more than that; the factor is for roundings.
        let mean = (1 - parameters.topP) * mass / Double(pages.count * LogitPages.width)
        let border = weighed.border(
            ofMass: parameters.topP * mass,
            least: max(Float(0.999 * mean), PortableMath.exponential(CandidateList.lowestDistance)),
            of: pages,
            scratch: scratch
        )
        // The likeliest token has the weight 1.
        let least = Float(parameters.minP)
        return weighed.token(at: share, upTo: border, least: least, of: pages) ?? best.token
    }

    /// The token at a share of the weights that the filters leave of candidates that are found without weighing all tokens.
    private func drawNarrowed(
        at share: Double,
        best: (token: Int, logit: Float),
        scale: Float,
        scratch: SamplerScratch
    ) -> Int {
        let (pages, candidates) = (scratch.pages, scratch.candidates)
        // Only where no sum over dropped tokens counts may min-p drop them beforehand; its filter follows all the same.
        let onlyMinP = parameters.topK == 0 && parameters.typicalP == 1
        let lowest = onlyMinP ? Float(PortableMath.logarithm(parameters.minP)) - 0.01 : -.infinity
        candidates.collect(
            pages,
            highest: best.logit,
            scale: scale,
            lowest: max(lowest, CandidateList.lowestDistance),
            least: parameters.topK > 0
                ? candidates.bound(ofFirst: parameters.topK, in: pages, highest: best.logit, scale: scale) : -.infinity
        )
        scratch.buckets.filter(candidates, with: parameters)
        let target = share * candidates.mass()
        var mass = 0.0
        for place in 0..<candidates.count {
            mass += Double(candidates.weights[place])
            if mass > target { return Int(candidates.tokens[place]) }
        }
        // Added up in another order the weights may fall short of the target by a rounding: the last token stands in.
        return candidates.count > 0 ? Int(candidates.tokens[candidates.count - 1]) : best.token
    }
}
