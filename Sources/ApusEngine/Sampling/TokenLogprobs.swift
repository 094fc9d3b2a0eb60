import ApusGrammar
public import ApusModel

/// How likely the model itself found a drawn token, and which ones it found likeliest.
///
/// Natural logarithms of the softmax of the unmodified logits at temperature 1, right to about 1e-5: bias, penalties, masks
/// and filters don't show in them. The arithmetic is the same on every machine.
public struct TokenLogprobs: Hashable, Sendable {
    /// A token and the logarithm of its probability.
    public struct Entry: Hashable, Sendable {
        /// The token.
        public var token: TokenID

        /// The natural logarithm of its probability, finite.
        public var logprob: Float

        /// Describes a token.
        public init(token: TokenID, logprob: Float) {
            self.token = token
            self.logprob = logprob
        }
    }

    /// The drawn token.
    public var drawn: Entry

    /// The likeliest tokens, the likeliest first, of equals the lower token.
    public var alternatives: [Entry]

    /// Describes a drawn token.
    public init(drawn: Entry, alternatives: [Entry]) {
        self.drawn = drawn
        self.alternatives = alternatives
    }

    /// Reads them off a row.
    ///
    /// - Parameters:
    ///   - logits: The row that the token was drawn from.
    ///   - token: The drawn token.
    ///   - count: How many of the likeliest tokens to give; fewer come where fewer have a finite logit.
    ///   - scratch: Working memory, of the calling thread.
    /// - Throws: `engineFailure` if a logit is not a number, the highest is infinite, or the token's isn't finite.
    public init(
        of logits: UnsafeBufferPointer<Float>,
        drawn token: TokenID,
        alternatives count: Int,
        scratch: SamplerScratch
    ) throws(ApusError) {
        let (pages, candidates) = (scratch.pages, scratch.candidates)
        pages.open(logits, mask: nil)
        guard let (_, highest) = pages.scan(), highest.isFinite,
            logits.indices.contains(Int(token.rawValue)), logits[Int(token.rawValue)].isFinite
        else {
            throw ApusError(.engineFailure, "the logits of token \(token.rawValue) are not numbers")
        }
        // Tokens below e^-32 of the highest add less than 1e-8 to the sum even in a vocabulary of 500,000.
        let total = PortableMath.logarithm(scratch.weighed.weigh(pages, highest: highest, scale: 1))
        func entry(_ token: Int32) -> Entry {
            let distance = Double(logits[Int(token)]) - Double(highest)
            let bound = Double(Float.greatestFiniteMagnitude)
            return Entry(token: TokenID(rawValue: token), logprob: Float(max(-bound, distance - total)))
        }
        drawn = entry(token.rawValue)
        guard count > 0 else {
            alternatives = []
            return
        }
        let bound = candidates.bound(ofFirst: count, in: pages, highest: highest, scale: 1)
        candidates.collect(
            pages,
            highest: highest,
            scale: 1,
            lowest: -.infinity,
            least: max(bound, -Float.greatestFiniteMagnitude)
        )
        scratch.buckets.keepFirst(count, of: candidates)
        let places = (0..<candidates.count).map {
            RankBuckets.likelihoodOrder(candidates.logits[$0], candidates.tokens[$0])
        }
        alternatives = places.sorted().map { entry(Int32(truncatingIfNeeded: $0 & 0xFFFF_FFFF)) }
    }
}
