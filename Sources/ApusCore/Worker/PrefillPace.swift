import ApusModel

/// What prompt tokens cost here, learned from the chunks that ran, and how many of them fit beside the decoding.
///
/// A small chunk costs more a token than a large one, so that both kinds are followed apart. A pure value.
package struct PrefillPace: Sendable {
    /// Chunks of fewer tokens count as small.
    private static let smallTokens = 64

    /// Chunks of a long prompt take at most this share of the decoding pass beside them: with the pass itself the time between
    /// tokens stays below twice what it is without them.
    private static let longShare = 0.8

    /// With short prompts the time between tokens may reach this, 50 ms, or what the running streams' target leaves.
    private static let shortTime: Duration = .milliseconds(50)

    /// Nanoseconds a token; `nil` while unknown.
    private var small: Double?
    private var large: Double?

    /// Begins with what the engine knows.
    ///
    /// - Parameters:
    ///   - chunkTokens: Tokens of a large chunk.
    ///   - chunkTime: Its time, where it is known.
    package init(chunkTokens: Int, chunkTime: Duration?) {
        large = chunkTime.map { Double($0.nanoseconds) / Double(max(1, chunkTokens)) }
    }

    /// Takes the time of a chunk.
    package mutating func chunkMeasured(tokens: Int, time: Duration) {
        guard tokens > 0 else { return }
        let cost = Double(min(max(time.nanoseconds, 0), 1 << 40)) / Double(tokens)
        func follow(_ known: Double?) -> Double { known.map { $0 + (cost - $0) / 4 } ?? cost }
        if tokens < Self.smallTokens { small = follow(small) } else { large = follow(large) }
    }

    /// What may run between two decoding passes.
    ///
    /// - Parameters:
    ///   - decoding: The time of a decoding pass.
    ///   - target: The time between tokens that the running streams want kept.
    /// - Returns: The tokens; 0 while nothing has been measured, so that the smallest chunk runs and is measured.
    package func allowance(decoding: Duration, target: Duration) -> PrefillAllowance {
        let own = Double(decoding.nanoseconds)
        let long = own * Self.longShare
        let left = Double(min(target, Self.shortTime).nanoseconds) - own
        return PrefillAllowance(long: tokens(in: long), short: tokens(in: max(long, left)))
    }

    private func tokens(in nanoseconds: Double) -> Int {
        // Without a measurement the smallest chunk runs, and is one.
        guard let cost = small ?? large else { return 0 }
        let count = nanoseconds / max(cost, 1)
        let wide = large.map { nanoseconds / max($0, 1) } ?? 0
        // What would be a large chunk costs what large ones do.
        return Int(min(wide >= Double(Self.smallTokens) ? wide : count, 1e6))
    }
}
