import ApusCore
import ApusModel

/// Measures what a coordinator costs, and how long a storm lasts in virtual time, while its world runs.
///
/// It reads a clock around the machine's methods and changes nothing: a world is the same with and without it. What the world
/// itself costs, its checkers included, is left out. It belongs to one world.
final class ScaleProbe {
    /// Placement decisions that are timed alone.
    private static let placementLimit = 20_000

    /// Of one turn, so that several states of the pool are seen.
    private static let placementsPerTurn = 1_000

    /// What all calls of the machine took.
    private(set) var machineTime = Duration.zero

    /// Messages that the machine was told.
    private(set) var messages = 0

    /// Turns.
    private(set) var turns = 0

    /// The longest that the machine's part of a turn took.
    private(set) var longestTurn = Duration.zero

    /// `turnEnded` of turns that leased, with its leases.
    private(set) var dispatches = TimeSample()

    /// The same, of turns after the storm.
    private(set) var stormDispatches = TimeSample()

    /// The choice of a worker alone, for streams that wait because of the storm.
    private(set) var placements = TimeSample()

    /// The most streams that ran at once.
    private(set) var peak = 0

    /// Streams that ran when the storm began, and those of them that ran on dying workers.
    private(set) var running = 0
    private(set) var lost = 0

    /// When the storm began, when every lost stream was leased again or had ended, and when all of them had ended.
    private(set) var stormAt: Int64?
    private(set) var leasedAt: Int64?
    private(set) var endedAt: Int64?

    private enum Loss: UInt8 {
        case none, waits, leased
    }

    private let clock: () -> Duration
    private var began: Duration?
    private var turnTime = Duration.zero
    private var leases: PerStream<WorkerName?>
    private var losses: PerStream<Loss>
    private var dead: Set<WorkerName> = []
    private var deadUntil: Int64 = 0
    private var waiting = 0
    private var unended = 0

    /// Begins with nothing measured.
    ///
    /// - Parameters:
    ///   - configuration: The world.
    ///   - clock: The time that passed since any moment, or that the thread computed.
    init(configuration: WorldConfiguration, clock: @escaping () -> Duration) {
        self.clock = clock
        leases = PerStream(from: configuration.settings.firstStream, initial: nil)
        losses = PerStream(from: configuration.settings.firstStream, initial: .none)
    }

    /// A method of the machine begins.
    func machineBegins() { began = clock() }

    /// The machine is told a message.
    func messageBegins() {
        messages += 1
        began = clock()
    }

    /// A method of the machine is over.
    func machineEnds() {
        guard let began else { return }
        turnTime += clock() - began
    }

    /// The turn's decisions are made.
    func dispatchBegins(on machine: borrowing CoordinatorMachine) {
        if stormAt != nil, machine.counters.queued > 0 { timePlacements(on: machine) }
        began = clock()
    }

    /// The turn's decisions are made; its records from a place on are theirs.
    func dispatchEnds(_ turn: borrowing Turn, from first: Int, on machine: borrowing CoordinatorMachine) {
        guard let began else { return }
        let time = clock() - began
        turns += 1
        turnTime += time
        machineTime += turnTime
        longestTurn = max(longestTurn, turnTime)
        turnTime = .zero
        peak = max(peak, machine.counters.active)
        let leases = turn.records[first...].count { if case .leased = $0 { true } else { false } }
        guard leases > 0 else { return }
        dispatches.add(time, weight: leases)
        if stormAt != nil { stormDispatches.add(time, weight: leases) }
    }

    /// Times the choice of a worker for streams that wait; nothing is leased.
    private func timePlacements(on machine: borrowing CoordinatorMachine) {
        let left = min(Self.placementsPerTurn, Self.placementLimit - placements.count)
        guard left > 0 else { return }
        var machine = copy machine
        for stream in machine.waitingStreams(limit: left) {
            let began = clock()
            let worker = machine.preferredWorker(for: stream)
            let time = clock() - began
            if worker != nil { placements.add(time) }
        }
    }

    /// Records are durable.
    func committed(_ records: [JournalRecord], at now: Int64) {
        for record in records {
            switch record {
            case .leased(let lease) where !lease.isHedge:
                let stream = lease.stream.rawValue
                leases[stream] = lease.worker
                // A lease on a worker whose death is not noticed yet is none.
                guard losses[stream] == .waits, now >= deadUntil || !dead.contains(lease.worker) else { continue }
                losses[stream] = .leased
                leasedAgain(at: now)
            case .ended(let stream, _, _):
                leases[stream.rawValue] = nil
                let loss = losses[stream.rawValue]
                guard loss != .none else { continue }
                losses[stream.rawValue] = .none
                if loss == .waits { leasedAgain(at: now) }
                unended -= 1
                if unended == 0 { endedAt = now }
            case .accepted, .leased, .forgotten: break
            }
        }
    }

    /// Workers die.
    func stormBegins(
        killing names: [WorkerName],
        for time: Int64,
        at now: Int64,
        on machine: borrowing CoordinatorMachine
    ) {
        dead = Set(names)
        deadUntil = now + time
        stormAt = now
        running = machine.counters.active
        for stream in leases.first..<leases.end {
            guard let worker = leases[stream], dead.contains(worker) else { continue }
            losses[stream] = .waits
            lost += 1
        }
        waiting = lost
        unended = lost
    }

    private func leasedAgain(at now: Int64) {
        waiting -= 1
        if waiting == 0 { leasedAt = now }
    }
}
