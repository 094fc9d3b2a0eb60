/// SplitMix64 (Steele, Lea, Flood 2014), so that a seed is one run.
struct SplitMix: RandomNumberGenerator {
    var seed: UInt64

    mutating func next() -> UInt64 {
        seed &+= 0x9E37_79B9_7F4A_7C15
        var bits = seed
        bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
        return bits ^ (bits >> 31)
    }

    /// A number below `end`.
    mutating func below(_ end: Int) -> Int { Int.random(in: 0..<end, using: &self) }
}
