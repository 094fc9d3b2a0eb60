public import ApusModel

/// Draws tokens from logits; a draw depends on the logits, the parameters, the seed and the index alone.
///
/// Temperature 0 takes the highest logit, the lowest token among equals. Otherwise the tokens are ordered by falling logit
/// (rising token among equals), `topK` keeps the first of them, `topP` then the first whose weights add up to its share of
/// what is left, and the draw takes the token at the share `CounterRandom.uniform(seed, index)` of the weights kept.
/// Arithmetic is the same on every machine, so that equal logits give equal tokens everywhere.
///
/// A sampler keeps working memory of the vocabulary's size; one serves all streams of an engine.
public struct TokenSampler {
    private var histogram = LogitHistogram()
    private var members: [(token: Int, weight: Double)] = []

    /// A sampler that has drawn nothing yet.
    public init() {}

    /// Draws the token with an index.
    ///
    /// - Parameters:
    ///   - logits: One logit for each token of the vocabulary.
    ///   - parameters: How to draw, as `GenerationRequest.validate` allows; a missing seed counts as 0.
    ///   - index: The token's place in its stream, from 0.
    /// - Returns: The drawn token.
    /// - Throws: `engineFailure` if a logit is not a number or the highest is infinite.
    public mutating func draw(
        from logits: UnsafeBufferPointer<Float>,
        with parameters: SamplingParameters,
        index: Int
    ) throws(ApusError) -> TokenID {
        guard let (best, highest) = LogitScan.maximum(of: logits), highest.isFinite else {
            throw ApusError(.engineFailure, "the model's logits are not numbers at index \(index)")
        }
        guard parameters.temperature > 0, parameters.topK != 1 else { return TokenID(rawValue: Int32(best)) }
        histogram.fill(logits, highest: highest, temperature: parameters.temperature)
        var kept = Cut(bucket: LogitHistogram.buckets - 1, members: .max, mass: 0)
        kept.mass = histogram.masses[..<LogitHistogram.buckets].reduce(0, +)
        if parameters.topK > 0 { kept = cut(kept, afterTokens: parameters.topK, of: logits) }
        if parameters.topP < 1 { kept = cut(kept, afterMass: parameters.topP * kept.mass, of: logits).cut }
        let share = CounterRandom.uniform(seed: parameters.seed ?? 0, index: UInt64(index))
        // The highest logit's own token is in the first bucket, so that a cut never comes out empty.
        let drawn = cut(kept, afterMass: share * kept.mass, of: logits).last
        return TokenID(rawValue: Int32(drawn ?? best))
    }

    /// The first tokens in falling order: all of the buckets before `bucket`, and the first `members` of that one.
    private struct Cut {
        var bucket: Int
        var members: Int
        var mass: Double
    }

    /// Keeps the first `limit` tokens of a cut.
    private mutating func cut(_ kept: Cut, afterTokens limit: Int, of logits: UnsafeBufferPointer<Float>) -> Cut {
        var count = 0
        var mass = 0.0
        for bucket in 0...kept.bucket {
            let size = Int(histogram.counts[bucket])
            guard count + size >= limit else {
                count += size
                mass += histogram.masses[bucket]
                continue
            }
            histogram.collect(bucket, of: logits, into: &members)
            for member in members.prefix(limit - count) { mass += member.weight }
            return Cut(bucket: bucket, members: limit - count, mass: mass)
        }
        return kept
    }

    /// Keeps the first tokens of a cut whose weights add up to more than `limit`, or to all there is.
    private mutating func cut(
        _ kept: Cut,
        afterMass limit: Double,
        of logits: UnsafeBufferPointer<Float>
    ) -> (cut: Cut, last: Int?) {
        var mass = 0.0
        var decisive: (bucket: Int, before: Double) = (0, 0)
        for bucket in 0...kept.bucket where histogram.counts[bucket] > 0 {
            decisive = (bucket, mass)
            mass += histogram.masses[bucket]
            if mass > limit { break }
        }
        histogram.collect(decisive.bucket, of: logits, into: &members)
        mass = decisive.before
        let available = decisive.bucket == kept.bucket ? min(kept.members, members.count) : members.count
        var taken = 0
        // Sums in another order than the histogram's may fall short by a rounding: the last token then stands in.
        while taken < available {
            mass += members[taken].weight
            taken += 1
            if mass > limit { break }
        }
        return (Cut(bucket: decisive.bucket, members: taken, mass: mass), taken > 0 ? members[taken - 1].token : nil)
    }
}
