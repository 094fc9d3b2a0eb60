import ApusCore
import ApusModel

/// Everything that the machine keeps is bounded by its settings or by the streams that have not ended.
struct BoundChecker: Checker {
    static let name = "all queues bounded"

    /// The machine is looked at in one turn of so many; in one of more where many streams make it dear.
    static let turnsPerAudit = 67

    /// Streams by which an audit becomes rarer by a turn.
    static let streamsPerTurn = 128

    var violation: Violation?

    private let settings: CoordinatorSettings
    private var turns = 0
    private let turnsPerAudit: Int

    init(configuration: WorldConfiguration) {
        settings = configuration.settings
        turnsPerAudit = max(Self.turnsPerAudit, configuration.jobs.count / Self.streamsPerTurn)
    }

    mutating func turnDecided(
        _ turn: borrowing Turn,
        by machine: borrowing CoordinatorMachine,
        at now: Timestamp
    ) {
        turns += 1
        if turns.isMultiple(of: turnsPerAudit) { check(machine.audit, at: now) }
    }

    mutating func worldEnded(_ end: borrowing WorldEnd, at now: Timestamp) {
        check(end.machine.audit, at: now)
    }

    /// Compares sizes with their bounds.
    mutating func check(_ audit: MachineAudit, at now: Timestamp) {
        for size in audit.sizes(under: settings) where size.count > size.bound {
            broken(at: now, "\(size.name): \(size.count), at most \(size.bound) are allowed")
            return
        }
    }
}
