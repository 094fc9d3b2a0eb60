import ApusCore
import ApusModel

/// Every moment in the journal is the moment of the turn that wrote it, on the coordinator's own steady clock.
struct ClockChecker: Checker {
    static let name = "wall clock decides nothing"

    var violation: Violation?

    private var lastTurn = Timestamp.zero

    mutating func turnDecided(
        _ turn: borrowing Turn,
        by machine: borrowing CoordinatorMachine,
        at now: Timestamp
    ) {
        defer { lastTurn = now }
        for record in turn.records {
            let moment: Timestamp
            switch record {
            case .accepted(let accepted): moment = accepted.acceptedAt
            case .leased(let lease): moment = lease.leasedAt
            case .ended(_, _, let at): moment = at
            case .forgotten: continue
            }
            guard moment > now || moment < lastTurn else { continue }
            broken(
                at: now,
                "a record says \(moment.nanoseconds) ns; its turn was between \(lastTurn.nanoseconds) and \(now.nanoseconds) ns"
            )
        }
    }
}
