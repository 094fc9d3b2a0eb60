/// The candidates of a draw, sorted roughly by a rank, so that the first of them can be told from the rest.
///
/// A filter needs the border between the candidates that it keeps and those that it drops, not their order. Buckets over the
/// ranks find the one bucket with the border in it, and only its members are sorted.
struct RankBuckets {
    /// Ranks are in 0...32; the last bucket holds what is beyond.
    static let count = 1_024

    /// Buckets a unit of rank.
    static let perUnit: Float = 32

    private var counts = [Int32](repeating: 0, count: count)
    private var masses = [Double](repeating: 0, count: count)
    private var codes: [UInt16] = []
    private var ranked: [(order: UInt64, place: Int)] = []
    private var members: [(order: UInt64, weight: Float)] = []

    /// Where a filter cuts: all before the bucket is kept, and of the bucket what is not after `order`.
    struct Border {
        var bucket: UInt16
        var order: UInt64
    }

    /// Empty buckets.
    init() {}

    /// Sorts candidates into the buckets.
    ///
    /// - Parameters:
    ///   - candidates: The candidates, with their weights.
    ///   - rank: The rank of each by its place, in 0...32.
    @inline(__always)
    mutating func fill(_ candidates: CandidateList, rank: (Int) -> Float) {
        for bucket in 0..<Self.count {
            counts[bucket] = 0
            masses[bucket] = 0
        }
        let count = candidates.count
        if codes.count < count { codes = [UInt16](repeating: 0, count: count) }
        let weights = candidates.weights
        codes.withUnsafeMutableBufferPointer { codes in
            counts.withUnsafeMutableBufferPointer { counts in
                masses.withUnsafeMutableBufferPointer { masses in
                    // Invariant: place < count, which all three hold; codes are below Self.count.
                    for place in 0..<count {
                        // Adding 2^23 leaves the rounded product in the low bits of the mantissa.
                        let code = UInt16(truncatingIfNeeded: (rank(place) * Self.perUnit + 0x1p23).bitPattern & 0xFFFF)
                        codes[place] = code < UInt16(Self.count) ? code : UInt16(Self.count - 1)
                    }
                    for place in 0..<count {
                        let code = Int(codes[place])
                        counts[code] &+= 1
                        masses[code] += Double(weights[place])
                    }
                }
            }
        }
    }

    /// The border after the first candidates, in the order of buckets and of `order` within them.
    ///
    /// - Parameters:
    ///   - limit: How many are kept, 1 or more.
    ///   - candidates: The candidates that the buckets were filled with.
    ///   - order: The order of each by its place: smaller ones are kept first; none twice.
    /// - Returns: `nil` where there are fewer.
    @inline(__always)
    mutating func border(
        afterCount limit: Int,
        of candidates: CandidateList,
        order: (Int) -> UInt64
    ) -> Border? {
        var kept = 0
        for bucket in 0..<Self.count {
            let size = Int(counts[bucket])
            guard kept + size >= limit else {
                kept += size
                continue
            }
            sort(bucket, of: candidates, order: order)
            return Border(bucket: UInt16(bucket), order: members[limit - kept - 1].order)
        }
        return nil
    }

    /// The border after the first candidates whose weights add up to a limit.
    ///
    /// - Parameters:
    ///   - limit: What the weights kept have to reach.
    ///   - candidates: The candidates that the buckets were filled with.
    ///   - order: The order of each by its place: smaller ones are kept first; none twice.
    /// - Returns: `nil` where all of them stay below the limit.
    @inline(__always)
    mutating func border(
        afterMass limit: Double,
        of candidates: CandidateList,
        order: (Int) -> UInt64
    ) -> Border? {
        var mass = 0.0
        for bucket in 0..<Self.count where counts[bucket] > 0 {
            guard mass + masses[bucket] >= limit else {
                mass += masses[bucket]
                continue
            }
            sort(bucket, of: candidates, order: order)
            for member in members {
                mass += Double(member.weight)
                if mass >= limit { return Border(bucket: UInt16(bucket), order: member.order) }
            }
            // Added up in another order the bucket may fall short of the limit by a rounding: it is kept whole.
            return Border(bucket: UInt16(bucket), order: .max)
        }
        return nil
    }

    /// The candidate at which weights, added up by falling logit, reach a limit.
    ///
    /// - Parameters:
    ///   - limit: The limit.
    ///   - above: The weight of what comes before the candidates.
    ///   - candidates: The candidates; all of them are sorted.
    /// - Returns: The candidate; `nil` where they stay below the limit.
    mutating func last(reaching limit: Double, from above: Double, of candidates: CandidateList) -> WeighedRow.Border? {
        let (tokens, logits, weights) = (candidates.tokens, candidates.logits, candidates.weights)
        ranked.removeAll(keepingCapacity: true)
        for place in 0..<candidates.count {
            ranked.append((Self.likelihoodOrder(logits[place], tokens[place]), place))
        }
        ranked.sort { $0.order < $1.order }
        var mass = above
        for (_, place) in ranked {
            mass += Double(weights[place])
            if mass >= limit { return WeighedRow.Border(logit: logits[place], token: Int(tokens[place])) }
        }
        return nil
    }

    /// Whether a candidate is on the kept side of a border.
    @inline(__always)
    func keeps(_ place: Int, _ border: Border, order: (Int) -> UInt64) -> Bool {
        let code = codes[place]
        if code == border.bucket { return order(place) <= border.order }
        return code < border.bucket
    }

    @inline(__always)
    private mutating func sort(_ bucket: Int, of candidates: CandidateList, order: (Int) -> UInt64) {
        members.removeAll(keepingCapacity: true)
        let weights = candidates.weights
        for place in 0..<candidates.count where Int(codes[place]) == bucket {
            members.append((order(place), weights[place]))
        }
        members.sort { $0.order < $1.order }
    }
}
