/// Exponential and logarithm by additions and multiplications, which IEEE 754 rounds alike on every machine.
///
/// A library's `exp` differs in the last bit between processors, and would move draws.
enum PortableMath {
    /// e^x for x in -87...0 with a relative error below 2^-19.
    ///
    /// 2^f for f in -0.5...0.5 is the Taylor polynomial of degree 6; the whole part goes into the exponent.
    @inline(__always)
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

    /// The natural logarithm of a finite number above 0, with an absolute error below 1e-12 for numbers in 1e-30...1e30.
    ///
    /// ln(m) = 2 artanh((m - 1) / (m + 1)) for m in sqrt(1/2)..<sqrt(2): the series up to the power of 13, whose rest is
    /// below 5e-13; the exponent adds its multiple of ln 2.
    static func logarithm(_ x: Double) -> Double {
        var exponent = Double(x.exponent)
        var mantissa = x.significand
        if mantissa > 1.414_213_562_373_095_1 {
            mantissa *= 0.5
            exponent += 1
        }
        let ratio = (mantissa - 1) / (mantissa + 1)
        let square = ratio * ratio
        var series = 1.0 / 13
        for divisor in [11.0, 9, 7, 5, 3, 1] { series = series * square + 1 / divisor }
        return exponent * 0.693_147_180_559_945_3 + 2 * ratio * series
    }
}
