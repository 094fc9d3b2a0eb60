import ApusCore
public import ApusModel

/// Watches the world for one promise and remembers the first time that it was broken.
///
/// The world tells every checker what happens, in the order in which it happens; a checker keeps what it needs and never
/// changes anything. All methods do nothing unless a checker has its own.
protocol Checker {
    /// What the report calls it.
    static var name: String { get }

    /// What was broken first, with the moment; `nil` while the promise holds.
    var violation: Violation? { get set }

    /// A client hands a request to its connection.
    mutating func clientSent(_ request: ClientRequest, by client: ClientLife, at now: Timestamp)

    /// A client takes a message from its connection.
    mutating func clientReceived(_ message: ClientMessage, by client: ClientLife, at now: Timestamp)

    /// The coordinator takes a client's request from a connection and tells it to the machine.
    mutating func requestTold(_ request: ClientRequest, from peer: ClientPeer, at now: Timestamp)

    /// The coordinator tells the machine that a client's connection is gone; messages that came by it may still be told later.
    mutating func lossTold(of peer: ClientPeer, at now: Timestamp)

    /// The coordinator takes a worker's message from a connection and tells it to the machine.
    mutating func reportTold(_ report: WorkerReport, from peer: WorkerPeer, at now: Timestamp)

    /// The machine ended a turn; nothing of it is durable or visible yet.
    mutating func turnDecided(_ turn: borrowing Turn, by machine: borrowing CoordinatorMachine, at now: Timestamp)

    /// A batch is durable from now on.
    mutating func committed(tokens: [TokenColumns], records: [JournalRecord], at now: Timestamp)

    /// The coordinator hands a message for a client to the connection.
    mutating func sent(_ message: ClientMessage, to peer: ClientPeer, at now: Timestamp)

    /// The coordinator hands a message for a worker to the connection.
    mutating func sent(_ message: WorkerMessage, to peer: WorkerPeer, at now: Timestamp)

    /// The coordinator's process died.
    mutating func coordinatorDied(at now: Timestamp)

    /// The coordinator's death took what its jobs asked not to be kept.
    mutating func lost(_ loss: CoordinatorLoss, at now: Timestamp)

    /// The disk refused a batch: the turn is held, and the coordinator stands still.
    mutating func outageBegan(at now: Timestamp)

    /// The disk took the batch that it had refused.
    mutating func outageEnded(at now: Timestamp)

    /// A new coordinator has replayed the journal as the disk holds it.
    mutating func coordinatorRecovered(
        _ machine: borrowing CoordinatorMachine,
        from journal: [SimulatedBatch],
        at now: Timestamp
    )

    /// A fault was injected.
    mutating func faulted(_ fault: Fault, at now: Timestamp)

    /// All faults are over and everything is whole again.
    mutating func healed(at now: Timestamp)

    /// The world stops: everything has ended, or the time for it is over.
    mutating func worldEnded(_ end: borrowing WorldEnd, at now: Timestamp)
}

/// A broken promise.
public struct Violation: Hashable, Sendable {
    /// The checker that saw it.
    public let checker: String

    /// What was seen, in one line.
    public let message: String

    /// When, in virtual time.
    public let moment: Timestamp
}

extension Checker {
    /// Remembers that the promise is broken, unless it was broken before.
    mutating func broken(at now: Timestamp, _ message: String) {
        if violation == nil { violation = Violation(checker: Self.name, message: message, moment: now) }
    }
}

extension Checker {
    mutating func clientSent(_ request: ClientRequest, by client: ClientLife, at now: Timestamp) {}
    mutating func clientReceived(_ message: ClientMessage, by client: ClientLife, at now: Timestamp) {}
    mutating func requestTold(_ request: ClientRequest, from peer: ClientPeer, at now: Timestamp) {}
    mutating func lossTold(of peer: ClientPeer, at now: Timestamp) {}
    mutating func reportTold(_ report: WorkerReport, from peer: WorkerPeer, at now: Timestamp) {}
    mutating func turnDecided(_ turn: borrowing Turn, by machine: borrowing CoordinatorMachine, at now: Timestamp) {}
    mutating func committed(tokens: [TokenColumns], records: [JournalRecord], at now: Timestamp) {}
    mutating func sent(_ message: ClientMessage, to peer: ClientPeer, at now: Timestamp) {}
    mutating func sent(_ message: WorkerMessage, to peer: WorkerPeer, at now: Timestamp) {}
    mutating func coordinatorDied(at now: Timestamp) {}
    mutating func lost(_ loss: CoordinatorLoss, at now: Timestamp) {}
    mutating func outageBegan(at now: Timestamp) {}
    mutating func outageEnded(at now: Timestamp) {}
    mutating func coordinatorRecovered(
        _ machine: borrowing CoordinatorMachine,
        from journal: [SimulatedBatch],
        at now: Timestamp
    ) {}
    mutating func faulted(_ fault: Fault, at now: Timestamp) {}
    mutating func healed(at now: Timestamp) {}
    mutating func worldEnded(_ end: borrowing WorldEnd, at now: Timestamp) {}
}
