public import ApusModel

/// An actor that lives on a `PollExecutor` and owns the sockets that the executor polls.
public protocol PollDriver: Actor {
    /// Does what is due: called once a turn of the poll loop, on the executor's thread, isolated to the actor.
    ///
    /// A turn follows every wake-up: a ready source, a passed deadline, jobs that ran on the actor, `PollExecutor.wake()`. It must
    /// not block. How many messages it takes a turn is its own business; what it leaves makes the next turn come at once.
    ///
    /// - Parameters:
    ///   - now: The time at the start of the turn.
    ///   - ready: Which sources were ready when the loop last looked; none in a driver's first turn.
    /// - Returns: When the next turn is due at the latest; `nil`: only when something is ready or somebody wakes the executor.
    func turn(now: Timestamp, ready: ReadySet) -> Timestamp?
}

/// What a driver waits for on a source.
public struct PollInterest: OptionSet, Hashable, Sendable {
    /// The set as bits.
    public let rawValue: UInt8

    /// Wraps bits.
    ///
    /// - Parameter rawValue: The set as bits.
    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// A message waits.
    public static let readable = PollInterest(rawValue: 1)

    /// A send could be taken; for a router, a send to at least one of its peers.
    public static let writable = PollInterest(rawValue: 2)
}

/// A source that an executor polls; stands for one registration and is worthless after `unregister`.
public struct PollToken: Hashable, Sendable {
    /// The source's place among the executor's sources.
    let slot: Int

    /// Tells registrations that had the same place apart.
    let serial: UInt64
}

/// The sources that were ready when the loop last looked; two words, made anew each turn without allocation.
public struct ReadySet: Sendable {
    /// A bit a slot, for reading.
    private var readable: UInt16 = 0

    /// A bit a slot, for writing.
    private var writable: UInt16 = 0

    /// Nothing is ready.
    public init() {}

    /// Whether a source is readable or writable, as far as the driver is interested.
    ///
    /// - Parameter token: A registered source.
    /// - Returns: Whether it is ready.
    public func contains(_ token: PollToken) -> Bool { (readable | writable) & Self.bit(token.slot) != 0 }

    /// Whether a message waits on a source.
    ///
    /// - Parameter token: A source registered with `.readable`.
    /// - Returns: Whether it is readable.
    public func isReadable(_ token: PollToken) -> Bool { readable & Self.bit(token.slot) != 0 }

    /// Whether a source takes a message.
    ///
    /// - Parameter token: A source registered with `.writable`.
    /// - Returns: Whether it is writable.
    public func isWritable(_ token: PollToken) -> Bool { writable & Self.bit(token.slot) != 0 }

    /// Adds what was found on a slot.
    mutating func insert(_ interest: PollInterest, slot: Int) {
        if interest.contains(.readable) { readable |= Self.bit(slot) }
        if interest.contains(.writable) { writable |= Self.bit(slot) }
    }

    /// Forgets a slot, before another source gets it.
    mutating func remove(slot: Int) {
        readable &= ~Self.bit(slot)
        writable &= ~Self.bit(slot)
    }

    private static func bit(_ slot: Int) -> UInt16 { 1 << UInt16(slot) }
}
