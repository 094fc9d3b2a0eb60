extension GenerationRequest {
    /// The request of one of a job's streams: a single choice, with a seed of its own.
    ///
    /// - Parameter choice: The stream's place among the job's, from 0.
    /// - Returns: The request as an attempt's worker gets it.
    public func choice(_ choice: Int) -> GenerationRequest {
        var request = self
        request.choices = 1
        if let seed = sampling.seed { request.sampling.seed = Self.seed(ofChoice: choice, of: seed) }
        return request
    }

    /// The seed of one of a job's streams: a pure function of the job's seed and the choice, so that each choice can be computed
    /// again alone.
    ///
    /// Choice 0 has the job's own seed; choice c > 0 has the c-th output of SplitMix64 that begins with it.
    ///
    /// - Parameters:
    ///   - choice: The stream's place among the job's, from 0.
    ///   - seed: The job's seed.
    /// - Returns: The stream's seed.
    public static func seed(ofChoice choice: Int, of seed: UInt64) -> UInt64 {
        choice == 0 ? seed : (seed &+ UInt64(truncatingIfNeeded: choice) &* 0x9e37_79b9_7f4a_7c15).mixed
    }
}
