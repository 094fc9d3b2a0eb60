/// Random numbers that a seed determines (SplitMix64).
struct SeededRandom: Sendable {
    /// What numbers are drawn for; each purpose has its own sequence, so that another draw for one doesn't shift the others.
    enum Purpose: UInt64 {
        case shape = 1
        case workload
        case network
        case workers
        case clients
        case coordinator
        case faults
    }

    private var state: UInt64

    /// Begins the sequence of a seed and a purpose.
    init(seed: UInt64, for purpose: Purpose) {
        state = Truth.mix(Truth.mix(seed) &+ purpose.rawValue &* 0xd6e8_feb8_6659_fd93)
    }

    /// The next 64 bits.
    @inline(__always)
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        return Truth.mix(state)
    }

    /// A number from 0 to below `bound`, which is above 0.
    @inline(__always)
    mutating func below(_ bound: Int) -> Int {
        Int(truncatingIfNeeded: next().multipliedFullWidth(by: UInt64(bound)).high)
    }

    /// A number of a range.
    @inline(__always)
    mutating func within(_ range: ClosedRange<Int64>) -> Int64 {
        range.lowerBound + Int64(below(Int(range.upperBound - range.lowerBound) + 1))
    }

    /// A number of a range.
    mutating func within(_ range: ClosedRange<Int>) -> Int { range.lowerBound + below(range.count) }

    /// Whether something happens that happens `share` times in a hundred.
    @inline(__always)
    mutating func percent(_ share: Int) -> Bool { below(100) < share }

    /// An element of an array that is not empty.
    mutating func pick<Element>(_ choices: [Element]) -> Element { choices[below(choices.count)] }
}
