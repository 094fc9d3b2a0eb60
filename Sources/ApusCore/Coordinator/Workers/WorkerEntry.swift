import ApusModel

/// All that the coordinator knows of a worker.
struct WorkerEntry: Sendable {
    /// Where a worker stands.
    enum State: Hashable, Sendable {
        /// Shows life.
        case ready
        /// Connected as far as is known, but not trusted with work until it shows life again.
        case lost(LossCause)
        /// Not connected any more; kept for its statistics until its name is used again.
        case gone
    }

    var peer: WorkerPeer
    var registration: WorkerRegistration

    /// The place of its model in the model table.
    var model: Int

    var state: State = .ready
    var load = WorkerLoad()

    /// Whether it finishes what it has and takes nothing new; for the rest of its process's life.
    var isDraining = false

    /// Whether it runs much slower than its own history says.
    var isSlow = false

    /// Whether it gets work only where there is nobody better.
    var isQuarantined = false

    /// Whether it takes no new work for now, for lack of memory, by its last word; what it runs goes on.
    var isRefusing = false

    /// What an operator set; it is told again whenever a process registers under the name.
    var settings: WorkerSettings?

    /// Whether it is forgotten and its place may be taken.
    var isVacant = false

    var progress: UInt64 = 0

    /// The head of the list of streams that are leased to it; a place in the ledger.
    var firstLease: Int?

    /// The streams that it hedges; places in the ledger.
    var hedges: [Int] = []

    /// How far it is trusted.
    var probation = Probation()

    /// Attempts that were lost with it.
    var failures: UInt64 = 0

    /// Accepted tokens.
    var tokens: UInt64 = 0

    var isConnected: Bool { state != .gone }
}

/// When a worker last showed life; apart from all else that is known of it, because it is looked at often for all workers.
struct WorkerWatch: Sendable {
    /// When anything last came from it.
    var lastBeat: Timestamp

    /// When its progress last moved, or when it was last idle.
    var progressAt: Timestamp

    /// The expected time of its step.
    var stepTime: Duration = .zero

    /// Whether it is watched: it is trusted with work.
    var isWatched = true
}
