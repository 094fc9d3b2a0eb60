/// What became of a world.
public struct WorldReport: Hashable, Sendable {
    /// The seed that makes the same world again.
    public let seed: UInt64

    /// How long it lasted in its own time.
    public let virtualTime: Duration

    /// What happened in it: messages, timers, faults.
    public let events: Int

    /// Faults by kind, in the order of `Fault.allCases`.
    public let faults: [Int]

    /// Tokens that the coordinator accepted.
    public let tokens: Int

    /// Whether the time was over before everything had ended.
    public let isLate: Bool

    /// Broken promises.
    public let violations: [Violation]

    /// A hash over everything that was sent and committed; the same seed gives the same one in every process.
    public let digest: UInt64
}
