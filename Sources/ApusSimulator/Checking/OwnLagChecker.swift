import ApusCore
import ApusModel

/// A worker is thought silent or hung for its own lateness only: the time in which the coordinator stood still does not count.
struct OwnLagChecker: Checker {
    static let name = "own lag evicts nobody"

    var violation: Violation?

    private struct Watch {
        /// When it was last heard, and when it last showed progress.
        var heardAt: Timestamp
        var movedAt: Timestamp

        /// How long the coordinator had stood still until then.
        var lagWhenHeard: Duration
        var lagWhenMoved: Duration

        var progress: UInt64 = 0
    }

    private let settings: CoordinatorSettings

    /// The workers that were enlisted, each with its present connection.
    private var workers: [(connection: Int, watch: Watch)] = []
    private var places: [WorkerName: Int] = [:]

    /// The place of the worker at each connection, which are counted, so that nothing is hashed; -1 for none.
    private var connections: [Int] = []

    /// Registrations that wait for their answer.
    private var registering: [WorkerPeer: (name: WorkerName, watch: Watch)] = [:]
    private var lastTurn: Timestamp?

    /// How long the coordinator stood still so far, beyond what is tolerated.
    private var lag = Duration.zero

    /// Whether the journal takes nothing, so that no turn begins.
    private var standsStill = false

    /// When the turn that is being told to the machine began.
    private var turn: Timestamp?

    init(configuration: WorldConfiguration) {
        settings = configuration.settings
    }

    mutating func reportTold(_ report: WorkerReport, from peer: WorkerPeer, at now: Timestamp) {
        begin(at: now)
        switch report {
        case .register(let registration, _):
            let watch = Watch(heardAt: now, movedAt: now, lagWhenHeard: lag, lagWhenMoved: lag)
            registering[peer] = (registration.name, watch)
        case .step(let shared):
            guard let place = place(at: peer) else { return }
            heard(place, at: now)
            if shared.value.progress != workers[place].watch.progress || !shared.value.isBusy {
                workers[place].watch.progress = shared.value.progress
                workers[place].watch.movedAt = now
                workers[place].watch.lagWhenMoved = lag
            }
        case .leave, .bye:
            if let place = place(at: peer) { heard(place, at: now) }
        }
    }

    mutating func requestTold(_ request: ClientRequest, from peer: ClientPeer, at now: Timestamp) {
        if !standsStill { begin(at: now) }
    }

    mutating func outageBegan(at now: Timestamp) { standsStill = true }

    mutating func outageEnded(at now: Timestamp) { standsStill = false }

    mutating func turnDecided(
        _ turn: borrowing Turn,
        by machine: borrowing CoordinatorMachine,
        at now: Timestamp
    ) {
        begin(at: now)
        self.turn = nil
        lastTurn = now
        for case .report(let name, .lost(let cause, _)) in turn.effects {
            guard let place = places[name] else { continue }
            let watch = workers[place].watch
            switch cause {
            case .silent:
                let silence = now - watch.heardAt - (lag - watch.lagWhenHeard)
                check(silence, beyond: settings.beatTimeout, name, "silent", at: now)
            case .hung:
                let standstill = now - watch.movedAt - (lag - watch.lagWhenMoved)
                check(standstill, beyond: settings.hangGrace, name, "hung", at: now)
            case .disconnected, .replaced: break
            }
        }
    }

    mutating func sent(_ message: WorkerMessage, to peer: WorkerPeer, at now: Timestamp) {
        switch message {
        case .enlisted:
            guard let (name, watch) = registering.removeValue(forKey: peer) else { return }
            let connection = Int(peer.rawValue)
            while connections.count <= connection { connections.append(-1) }
            if let place = places[name] {
                let former = workers[place].connection
                if connections[former] == place { connections[former] = -1 }
                workers[place] = (connection, watch)
                connections[connection] = place
            } else {
                places[name] = workers.count
                connections[connection] = workers.count
                workers.append((connection, watch))
            }
        case .refused: registering[peer] = nil
        case .assign, .acknowledge, .revoke, .drain: break
        }
    }

    mutating func coordinatorRecovered(
        _ machine: borrowing CoordinatorMachine,
        from journal: [SimulatedBatch],
        at now: Timestamp
    ) {
        lastTurn = now
        turn = nil
        workers.removeAll()
        places.removeAll()
        connections.removeAll()
        registering.removeAll()
    }

    private func place(at peer: WorkerPeer) -> Int? {
        guard peer.rawValue < UInt64(connections.count) else { return nil }
        let place = connections[Int(peer.rawValue)]
        return place < 0 ? nil : place
    }

    private mutating func heard(_ place: Int, at now: Timestamp) {
        workers[place].watch.heardAt = now
        workers[place].watch.lagWhenHeard = lag
    }

    /// Counts how long nothing was done before this turn.
    private mutating func begin(at now: Timestamp) {
        guard turn == nil else { return }
        turn = now
        guard let lastTurn else { return }
        let late = now - lastTurn - settings.tickInterval
        if late > settings.lagTolerance { lag += late }
    }

    private mutating func check(
        _ time: Duration,
        beyond limit: Duration,
        _ name: WorkerName,
        _ what: StaticString,
        at now: Timestamp
    ) {
        guard time <= limit else { return }
        broken(
            at: now,
            "\(name) was thought \(what) after \(time.milliseconds) ms of its own, at least \(limit.milliseconds) are granted"
        )
    }
}
