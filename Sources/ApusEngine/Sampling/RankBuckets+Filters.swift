import ApusModel

extension RankBuckets {
    /// Takes out the candidates that top-k, typical, top-p and min-p drop.
    ///
    /// - Parameters:
    ///   - candidates: The candidates, with their weights.
    ///   - parameters: The filters.
    mutating func filter(_ candidates: CandidateList, with parameters: SamplingParameters) {
        keepFirst(parameters.topK, of: candidates)
        // The lists stay where they are in memory while candidates are taken out.
        let (tokens, logits) = (candidates.tokens, candidates.logits)
        let (distances, weights) = (candidates.distances, candidates.weights)
        if parameters.typicalP < 1 {
            let mass = candidates.mass()
            // A surprise is ln(mass) - distance, so that from the expected one it is as far as the distance from its mean.
            let mean = candidates.sum { Double(weights[$0]) * Double(distances[$0]) } / mass
            fill(candidates) { Self.surprise(distances[$0], mean) }
            let order = { UInt64(Self.surprise(distances[$0], mean).bitPattern) << 32 | UInt64(tokens[$0]) }
            if let border = border(afterMass: parameters.typicalP * mass, of: candidates, order: order) {
                candidates.keep { keeps($0, border, order: order) }
            }
        }
        if parameters.topP < 1 {
            let limit = parameters.topP * candidates.mass()
            fill(candidates) { -distances[$0] }
            let order = { Self.likelihoodOrder(logits[$0], tokens[$0]) }
            if let border = border(afterMass: limit, of: candidates, order: order) {
                candidates.keep { keeps($0, border, order: order) }
            }
        }
        if parameters.minP > 0 {
            var highest: Float = 0
            for place in 0..<candidates.count where weights[place] > highest { highest = weights[place] }
            let least = parameters.minP * Double(highest)
            candidates.keep { Double(weights[$0]) >= least }
        }
    }

    /// Keeps the candidates with the highest logits, of equals the lower tokens.
    ///
    /// - Parameters:
    ///   - limit: How many to keep; 0 keeps all.
    ///   - candidates: The candidates.
    mutating func keepFirst(_ limit: Int, of candidates: CandidateList) {
        guard limit > 0, limit < candidates.count else { return }
        let (tokens, logits, distances) = (candidates.tokens, candidates.logits, candidates.distances)
        fill(candidates) { -distances[$0] }
        let order = { Self.likelihoodOrder(logits[$0], tokens[$0]) }
        if let border = border(afterCount: limit, of: candidates, order: order) {
            candidates.keep { keeps($0, border, order: order) }
        }
    }

    /// A number that is smaller for a higher logit, and of equal logits for the lower token.
    @inline(__always)
    static func likelihoodOrder(_ logit: Float, _ token: Int32) -> UInt64 {
        // Adding 0 makes +0 of -0, which are equal.
        let bits = Int32(bitPattern: (logit + 0).bitPattern)
        let rising = UInt32(bitPattern: bits ^ ((bits &>> 31) & 0x7FFF_FFFF)) ^ 0x8000_0000
        return UInt64(~rising) << 32 | UInt64(UInt32(bitPattern: token))
    }

    /// How far a candidate's surprise is from the expected one.
    @inline(__always)
    private static func surprise(_ distance: Float, _ mean: Double) -> Float {
        // The magnitude of -0 is +0, as its bits have to be in an order.
        Float((Double(distance) - mean).magnitude)
    }
}
