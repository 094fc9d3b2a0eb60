/// Work that was charged to one of several takers, divided by its weight: the one with the least is next.
///
/// Counters are in 1/1,024 of a token at weight 1, so that 64 bits hold 57 years at 10 million tokens a second.
struct VirtualCounter: Hashable, Sendable {
    /// Units of a token at weight 1, and the largest weight that still counts.
    static let scale: UInt64 = 1_024

    /// The largest work that one charge counts; far above what `Limits` let a stream cost.
    private static let largestWork = 1 << 32

    private(set) var value: UInt64 = 0

    /// The value after the last lift.
    ///
    /// A lift forgives what was not used, so a refund of older work must not lead below it.
    private var floor: UInt64 = 0

    /// What some work costs at a weight, rounded up; at least as much as one token.
    static func charge(work: Int, weight: Int) -> UInt64 {
        let work = UInt64(min(max(work, 1), largestWork))
        let weight = min(UInt64(max(weight, 1)), scale)
        return (work * scale + weight - 1) / weight
    }

    /// The virtual time after a settlement moved the least counter of those that wait.
    ///
    /// It moves along: a client that returns then starts beside the others, not behind all that they were given back or
    /// before all that they turned out to owe.
    static func shifted(_ virtualTime: UInt64, as least: UInt64?, movedTo newLeast: UInt64?) -> UInt64 {
        guard let least, let newLeast else { return virtualTime }
        return newLeast >= least ? virtualTime + (newLeast - least) : virtualTime - min(virtualTime, least - newLeast)
    }

    /// Raises a counter that stayed behind while its owner had no work.
    mutating func lift(to level: UInt64) {
        guard value < level else { return }
        value = level
        floor = level
    }

    /// Charges work in advance and returns its cost.
    mutating func charge(work: Int, weight: Int) -> UInt64 {
        let charge = Self.charge(work: work, weight: weight)
        value += charge
        return charge
    }

    /// Puts the true cost of some work in the place of what was charged for it.
    mutating func settle(predicted: Int, actual: Int, weight: Int) {
        let charged = Self.charge(work: predicted, weight: weight)
        let due = Self.charge(work: actual, weight: weight)
        if due >= charged {
            value += due - charged
        } else {
            value -= min(charged - due, value - floor)
        }
    }
}
