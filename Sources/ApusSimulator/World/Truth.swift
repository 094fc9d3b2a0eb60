import ApusModel

/// What the one right output of each job is, computable by anybody at any time.
struct Truth: Sendable {
    /// All jobs of the world, found by `JobSpec.place(of:)`.
    let jobs: [JobSpec]

    /// The token at an index.
    ///
    /// - Parameters:
    ///   - seed: The seed of the stream's request: of the client's, or of the one that the coordinator told in its acceptance.
    ///   - index: The token's index.
    ///   - numerics: What `numerics(of:)` says of the worker that computes it.
    /// - Returns: The token, 0 or more.
    static func token(seed: UInt64, index: Int, numerics: UInt64) -> Int32 {
        Int32(truncatingIfNeeded: mix(seed &+ numerics &+ UInt64(index) &* 0x9e37_79b9_7f4a_7c15) >> 33)
    }

    /// The seed of one of a job's streams, told apart from what the core says it is.
    static func seed(_ seed: UInt64, ofChoice choice: Int) -> UInt64 {
        choice == 0 ? seed : mix(seed &+ UInt64(choice) &* 0x9e37_79b9_7f4a_7c15)
    }

    /// What of a worker decides on its tokens: equal for equal fingerprints.
    static func numerics(of fingerprint: Fingerprint) -> UInt64 { mix(fingerprint.high ^ fingerprint.low) }

    /// The bytes of a token's text: 1 to 3.
    static func textLength(of token: Int32) -> Int { 1 + Int(token) % 3 }

    /// Appends a token's text, in ASCII letters.
    static func appendText(of token: Int32, to text: inout [UInt8]) {
        var rest = UInt32(bitPattern: token) / 3
        for _ in 0..<textLength(of: token) {
            text.append(UInt8(ascii: "a") + UInt8(truncatingIfNeeded: rest % 26))
            rest /= 26
        }
    }

    /// A bijection that spreads counted numbers over 64 bits (the finaliser of SplitMix64).
    @inline(__always)
    static func mix(_ value: UInt64) -> UInt64 {
        var mixed = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
