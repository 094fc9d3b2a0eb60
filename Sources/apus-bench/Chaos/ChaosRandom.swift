import ApusEngine

/// Random numbers of a seed, a sequence for each purpose: what one purpose draws moves no other's draws.
struct ChaosRandom: RandomNumberGenerator {
    private let seed: UInt64
    private var count: UInt64 = 0

    /// A sequence.
    ///
    /// - Parameters:
    ///   - seed: The run's seed.
    ///   - purpose: The number of the sequence.
    init(seed: UInt64, purpose: Int) {
        self.seed = CounterRandom.bits(seed: seed, index: UInt64(purpose))
    }

    mutating func next() -> UInt64 {
        defer { count += 1 }
        return CounterRandom.bits(seed: seed, index: count)
    }

    /// Whether something happens that does so once in so many times.
    mutating func once(in times: Int) -> Bool { next() % UInt64(times) == 0 }

    /// A number of a range.
    mutating func draw(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }

    /// A time up to a longest one, to the microsecond.
    mutating func duration(upTo longest: Duration) -> Duration {
        .microseconds(draw(0...Int(longest / .microseconds(1))))
    }
}
