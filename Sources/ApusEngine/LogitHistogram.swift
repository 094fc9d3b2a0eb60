/// The tokens of one row of logits, sorted roughly: by how far each lies below the highest one.
///
/// A draw needs the tokens in falling order, but mostly only some dozens of them. Instead of sorting a whole vocabulary, a
/// histogram over the distances finds the one bucket where something is decided, and only its tokens are sorted.
///
/// Weights are exp((logit - highest) / temperature) by a polynomial of additions and multiplications, which IEEE 754 rounds
/// alike on every machine; a library's `exp` differs in the last bit between processors, and would move draws.
struct LogitHistogram {
    /// Buckets that hold tokens; a token further down (a weight under e^-32 of the highest) counts as impossible.
    static let buckets = 512

    /// The tokens in each bucket.
    private(set) var counts = [UInt32](repeating: 0, count: allBuckets)

    /// The sum of the weights in each bucket.
    private(set) var masses = [Double](repeating: 0, count: allBuckets)

    private var weights: [Float] = []
    private var codes: [UInt16] = []

    /// With room for the tokens below the last bucket, so that the filling loop needs no branch.
    private static let allBuckets = 704
    private static let bucketsPerUnit: Float = 16
    private static let lowest: Float = -40

    /// An empty histogram.
    init() {}

    /// Takes a row of logits.
    ///
    /// - Parameters:
    ///   - logits: The row; no NaN in it.
    ///   - highest: Its highest logit, finite.
    ///   - temperature: Divides the distances; above 0.
    mutating func fill(_ logits: UnsafeBufferPointer<Float>, highest: Float, temperature: Double) {
        if weights.count != logits.count {
            weights = [Float](repeating: 0, count: logits.count)
            codes = [UInt16](repeating: 0, count: logits.count)
        }
        for bucket in counts.indices {
            counts[bucket] = 0
            masses[bucket] = 0
        }
        let scale = Float(1 / max(temperature, 1e-6))
        let count = logits.count
        weights.withUnsafeMutableBufferPointer { weights in
            codes.withUnsafeMutableBufferPointer { codes in
                // Invariant: all three buffers have count elements, and index stays below it.
                var index = 0
                while index < count {
                    let distance = (logits[index] - highest) * scale
                    let bounded = distance > Self.lowest ? distance : Self.lowest
                    weights[index] = Self.exponential(bounded)
                    // Adding 2^23 leaves the rounded sum in the low bits of the mantissa.
                    let shifted = (bounded * -Self.bucketsPerUnit + 0x1p23).bitPattern
                    codes[index] = UInt16(truncatingIfNeeded: shifted & 0xFFFF)
                    index &+= 1
                }
                counts.withUnsafeMutableBufferPointer { counts in
                    masses.withUnsafeMutableBufferPointer { masses in
                        // Invariant: a distance in lowest...0 gives a code in 0...640, below allBuckets.
                        var index = 0
                        while index < count {
                            let code = Int(codes[index])
                            counts[code] &+= 1
                            masses[code] += Double(weights[index])
                            index &+= 1
                        }
                    }
                }
            }
        }
    }

    /// Collects a bucket's tokens with their weights, the likeliest first, the lower token first among equals.
    ///
    /// - Parameters:
    ///   - bucket: A bucket in `0..<Self.buckets`.
    ///   - logits: The row that the histogram was filled with.
    ///   - members: Receives the tokens; its former content is replaced.
    func collect(
        _ bucket: Int,
        of logits: UnsafeBufferPointer<Float>,
        into members: inout [(token: Int, weight: Double)]
    ) {
        members.removeAll(keepingCapacity: true)
        let code = UInt16(bucket)
        codes.withUnsafeBufferPointer { codes in
            // Invariant: index < codes.count.
            var index = 0
            while index < codes.count {
                if codes[index] == code { members.append((index, Double(weights[index]))) }
                index &+= 1
            }
        }
        members.sort { left, right in
            let (leftKey, rightKey) = (LogitScan.key(of: logits[left.token]), LogitScan.key(of: logits[right.token]))
            return leftKey == rightKey ? left.token < right.token : leftKey > rightKey
        }
    }

    /// e^x for x in -87...0 with a relative error below 2^-20, by additions and multiplications alone.
    ///
    /// 2^f for f in -0.5...0.5 is the Taylor polynomial of degree 6; the whole part goes into the exponent.
    static func exponential(_ x: Float) -> Float {
        let scaled = x * 1.442_695_04
        // Adding 1.5 * 2^23 rounds to the nearest whole number and leaves it in the low bits.
        let shifted = scaled + 12_582_912
        let fraction = scaled - (shifted - 12_582_912)
        var power: Float = 1.540_353_0e-4
        power = power * fraction + 1.333_355_8e-3
        power = power * fraction + 9.618_129_1e-3
        power = power * fraction + 5.550_410_9e-2
        power = power * fraction + 2.402_265_1e-1
        power = power * fraction + 6.931_471_8e-1
        power = power * fraction + 1
        return Float(bitPattern: power.bitPattern &+ (shifted.bitPattern &<< 23))
    }
}
