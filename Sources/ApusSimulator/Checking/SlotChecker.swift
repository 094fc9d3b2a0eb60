import ApusCore
import ApusModel

/// A worker never has more attempts than slots: by what it is told, and by what the machine thinks; and what the machine counts
/// is what its streams add up to.
struct SlotChecker: Checker {
    static let name = "slots conserved"

    /// The machine is looked at in one turn of so many; in one of more where many streams make it dear.
    static let turnsPerAudit = 61

    /// Streams by which an audit becomes rarer by a turn.
    static let streamsPerTurn = 128

    var violation: Violation?

    /// A worker by what it is told.
    private struct Worker {
        var slots = 0
        var attempts: [HeldAttempt] = []
    }

    private var workers: [WorkerPeer: Worker] = [:]

    /// The workers that were given work in this turn.
    private var assigned: [WorkerPeer] = []
    private var peers: PerStream<[WorkerPeer]>
    private var turns = 0
    private let turnsPerAudit: Int

    init(configuration: WorldConfiguration) {
        peers = PerStream(from: configuration.settings.firstStream, initial: [])
        turnsPerAudit = max(Self.turnsPerAudit, configuration.jobs.count / Self.streamsPerTurn)
    }

    mutating func reportTold(_ report: WorkerReport, from peer: WorkerPeer, at now: Timestamp) {
        switch report {
        case .register(let registration, _):
            workers[peer] = Worker(slots: registration.slots)
        case .step(let shared):
            for end in shared.value.ends { drop(end.stream, end.epoch, from: peer) }
        case .leave, .bye: break
        }
    }

    mutating func turnDecided(
        _ turn: borrowing Turn,
        by machine: borrowing CoordinatorMachine,
        at now: Timestamp
    ) {
        checkAssigned(at: now)
        turns += 1
        if turns.isMultiple(of: turnsPerAudit) { audit(machine, at: now) }
    }

    mutating func committed(tokens: [TokenColumns], records: [JournalRecord], at now: Timestamp) {
        // What was sent in the turn before is complete now.
        checkAssigned(at: now)
        for case .ended(let stream, let end, _) in records where end.reason.isSuccess {
            for peer in peers[stream.rawValue] { workers[peer]?.attempts.removeAll { $0.stream == stream } }
            peers[stream.rawValue] = []
        }
    }

    mutating func sent(_ message: WorkerMessage, to peer: WorkerPeer, at now: Timestamp) {
        switch message {
        case .enlisted(let keep):
            workers[peer]?.attempts = keep
            for attempt in keep { peers[attempt.stream.rawValue].append(peer) }
        case .assign(let stream, let epoch, _, let history, _):
            workers[peer]?.attempts.append(HeldAttempt(stream: stream, epoch: epoch, next: history.count))
            if !peers[stream.rawValue].contains(peer) { peers[stream.rawValue].append(peer) }
            assigned.append(peer)
        case .revoke(let streams, let epochs):
            for (stream, epoch) in zip(streams, epochs) {
                drop(StreamID(rawValue: stream), Epoch(rawValue: epoch), from: peer)
            }
        case .refused, .acknowledge, .drain: break
        }
    }

    mutating func coordinatorDied(at now: Timestamp) {
        workers.removeAll()
        assigned.removeAll()
    }

    mutating func worldEnded(_ end: borrowing WorldEnd, at now: Timestamp) {
        if !end.isLate { audit(end.machine, at: now) }
    }

    private mutating func drop(_ stream: StreamID, _ epoch: Epoch, from peer: WorkerPeer) {
        workers[peer]?.attempts.removeAll { $0.stream == stream && $0.epoch <= epoch }
    }

    private mutating func checkAssigned(at now: Timestamp) {
        guard !assigned.isEmpty else { return }
        for peer in assigned {
            guard let worker = workers[peer], worker.attempts.count > worker.slots else { continue }
            let attempts = worker.attempts.map { "\($0.stream)/\($0.epoch)" }.joined(separator: " ")
            broken(
                at: now,
                "the worker at connection \(peer.rawValue) has \(worker.slots) slots and was given the attempts \(attempts)"
            )
        }
        assigned.removeAll(keepingCapacity: true)
    }

    private mutating func audit(_ machine: borrowing CoordinatorMachine, at now: Timestamp) {
        for worker in machine.workerAudits where worker.leases != worker.seated || worker.leases > worker.slots {
            broken(
                at: now,
                "\(worker.name) has \(worker.slots) slots, \(worker.leases) of them leased, by \(worker.seated) streams"
            )
        }
        let audit = machine.audit
        let counters = machine.counters
        let isEqual =
            counters.active == audit.running && counters.queued == audit.waiting && counters.parked == audit.parked
        guard !isEqual else { return }
        broken(
            at: now,
            "\(counters.active) active, \(counters.queued) queued, \(counters.parked) parked are counted; "
                + "there are \(audit.running), \(audit.waiting), \(audit.parked)"
        )
    }
}
