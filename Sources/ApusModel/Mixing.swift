extension UInt64 {
    /// The number with its bits spread, so that counted numbers look random: the finaliser of SplitMix64, a bijection (Steele, Lea and
    /// Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014).
    @inlinable
    package var mixed: UInt64 {
        var bits = (self ^ (self >> 30)) &* 0xbf58_476d_1ce4_e5b9
        bits = (bits ^ (bits >> 27)) &* 0x94d0_49bb_1331_11eb
        return bits ^ (bits >> 31)
    }
}
