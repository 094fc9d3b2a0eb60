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
    var state: State = .ready
    var load = WorkerLoad()

    /// Whether it finishes what it has and takes nothing new; for the rest of its process's life.
    var isDraining = false

    /// Whether it is forgotten and its place may be taken.
    var isVacant = false

    /// When anything last came from it.
    var lastBeat: Timestamp

    var progress: UInt64 = 0

    /// When its progress last moved, or when it was last idle.
    var progressAt: Timestamp

    /// The head of the list of streams that are leased to it; a place in the ledger.
    var firstLease: Int?

    /// The number of streams that are leased to it.
    var leases = 0

    /// Attempts that were lost with it.
    var failures: UInt64 = 0

    /// Accepted tokens.
    var tokens: UInt64 = 0

    var hasVacantSlot: Bool { state == .ready && !isDraining && leases < registration.slots }

    var isConnected: Bool { state != .gone }
}
