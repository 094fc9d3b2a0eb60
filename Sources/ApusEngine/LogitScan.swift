/// Passes over a row of logits at memory speed.
///
/// They run for each token over the whole vocabulary. Written over the bits of the logits, with integer comparisons and no
/// calls, the loops become vector code in a release build and stay bearable in a debug build.
enum LogitScan {
    /// The highest logit and the lowest token that has it; `nil` for an empty row or one with a NaN in it.
    ///
    /// Logits are ordered as `key` says: -0 is below +0, infinities are the outermost numbers.
    static func maximum(of logits: UnsafeBufferPointer<Float>) -> (token: Int, logit: Float)? {
        guard let base = logits.baseAddress, !logits.isEmpty else { return nil }
        var best = Int32.min
        var bestStart = 0
        var notNumbers: Int32 = 0
        var start = 0
        while start < logits.count {
            let end = min(start &+ blockLength, logits.count)
            var highest = Int32.min
            var index = start
            while index < end {
                // Invariant: index < logits.count.
                let bits = Int32(bitPattern: base[index].bitPattern)
                // The subtraction is negative for a NaN alone: its magnitude is above infinity's.
                notNumbers |= infinity &- (bits & 0x7FFF_FFFF)
                let key = bits ^ ((bits &>> 31) & 0x7FFF_FFFF)
                highest = key > highest ? key : highest
                index &+= 1
            }
            // A later block wins with a higher logit alone: of equal ones the first is kept.
            if highest > best {
                best = highest
                bestStart = start
            }
            start = end
        }
        guard notNumbers >= 0 else { return nil }
        var token = bestStart
        while token < logits.count &- 1, key(of: base[token]) != best { token &+= 1 }
        return (token, base[token])
    }

    /// A number that orders logits as integers.
    static func key(of logit: Float) -> Int32 {
        let bits = Int32(bitPattern: logit.bitPattern)
        return bits ^ ((bits &>> 31) & 0x7FFF_FFFF)
    }

    /// Bits of +infinity.
    private static let infinity: Int32 = 0x7F80_0000

    /// Small enough that the search for the best token within its block costs nothing.
    private static let blockLength = 512
}
