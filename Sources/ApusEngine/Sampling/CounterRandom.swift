/// Random numbers without state: number `index` of a seed is a hash of both.
///
/// A generator with hidden state would have to travel with a stream that moves to another worker; a counter does not.
/// The hash is two rounds of SplitMix64's output function (Steele, Lea, Flood: "Fast splittable pseudorandom number
/// generators", 2014) around the step of its sequence: mix(mix(seed) + (index + 1) * 0x9E3779B97F4A7C15). The inner round
/// keeps the sequences of neighbouring seeds apart. The numbers are a part of the wire contract: other values for a seed
/// would change the output of running streams.
public enum CounterRandom {
    /// The step of SplitMix64's sequence.
    static let increment: UInt64 = 0x9E37_79B9_7F4A_7C15

    /// The 64 random bits with a number.
    ///
    /// - Parameters:
    ///   - seed: The stream's seed.
    ///   - index: The number of the draw, from 0.
    /// - Returns: Bits that are all alike random.
    public static func bits(seed: UInt64, index: UInt64) -> UInt64 {
        mix(mix(seed) &+ (index &+ 1) &* increment)
    }

    /// A number in 0..<1, a multiple of 2^-53.
    ///
    /// - Parameters:
    ///   - seed: The stream's seed.
    ///   - index: The number of the draw, from 0.
    /// - Returns: One of 2^53 equally likely numbers.
    public static func uniform(seed: UInt64, index: UInt64) -> Double {
        Double(bits(seed: seed, index: index) >> 11) * 0x1p-53
    }

    /// SplitMix64's output function: every bit of the input moves every bit of the output.
    static func mix(_ value: UInt64) -> UInt64 {
        var bits = value
        bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
        return bits ^ (bits >> 31)
    }
}
