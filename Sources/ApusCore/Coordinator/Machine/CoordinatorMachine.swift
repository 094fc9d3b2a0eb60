public import ApusModel

/// All decisions of a coordinator, as a value: facts with a timestamp go in, a `Turn` comes out.
///
/// It holds no clock, randomness, socket, task or token text. A driver feeds it whatever happened, then calls `turnEnded`,
/// commits the turn to the journal and performs the effects; a simulator does the same in virtual time. Equal facts in equal
/// order give equal turns in every process: no decision depends on the order of a set or a dictionary.
///
/// The methods stand by subject: `CoordinatorMachine+Clients`, `+Workers`, `+Steps`, `+Dispatch`, `+Time`, `+Views`.
public struct CoordinatorMachine: Sendable {
    let settings: CoordinatorSettings

    var ledger = StreamLedger()
    var jobs: [JobID: StreamID] = [:]
    var keys: [String: StreamID] = [:]
    var lastStream: UInt64

    var workers: [WorkerEntry] = []
    var workerPlaces: [WorkerPeer: Int] = [:]
    var workerNames: [WorkerName: Int] = [:]
    var vacantWorkers: [Int] = []

    /// The models of all workers that ever registered, at most `Limits.workers`.
    var models: Set<ModelName> = []

    var clients: [ClientEntry?] = []
    var clientPlaces: [ClientPeer: Int] = [:]
    var vacantClients: [Int] = []

    /// Queues in the order in which their models were first seen.
    var queues: [WorkQueue] = []

    /// Streams that wait for the first worker of their model, or of any.
    var unbound: [StreamID] = []

    var deadlines = DeadlineQueue()
    var retained = RetentionQueue()

    /// Consumers to look at when the turn ends.
    var unsettled: [(client: Int, stream: StreamID)] = []

    /// Whether a slot or a stream became available in this turn.
    var needsDispatch = false

    var lastTick: Timestamp?
    var lastTurn: Timestamp?
    var isDraining = false

    /// Counted since the start.
    public internal(set) var counters = CoordinatorCounters()

    /// Begins with no worker, no client and no stream.
    public init(settings: CoordinatorSettings) {
        self.settings = settings
        lastStream = settings.firstStream - 1
    }

    /// Begins a turn, before any of its facts.
    ///
    /// When the coordinator itself stood still, the silence of others proves nothing: their deadlines move by its own lag.
    public mutating func turnBegan(at now: Timestamp) {
        defer { lastTurn = now }
        guard let lastTurn else { return }
        let lag = now - lastTurn - settings.tickInterval
        guard lag > settings.lagTolerance else { return }
        for place in workers.indices {
            workers[place].lastBeat = workers[place].lastBeat + lag
            workers[place].progressAt = workers[place].progressAt + lag
        }
    }

    /// Ends a turn: leases slots to waiting streams, then settles with every consumer that is behind.
    ///
    /// Facts of one turn are told in any number; nothing is leased or replayed before this call, so that a burst of facts
    /// makes one decision.
    public mutating func turnEnded(at now: Timestamp, into turn: inout Turn) {
        if needsDispatch {
            needsDispatch = false
            dispatch(at: now, into: &turn)
        }
        settleConsumers(into: &turn)
        for effect in turn.effects {
            if case .replay(let peer, _, _, _) = effect, let place = clientPlaces[peer] { clients[place]?.replayed = 0 }
        }
        for outgoing in turn.clients {
            if let place = clientPlaces[outgoing.peer] { clients[place]?.outgoing = nil }
        }
    }
}

/// What happened since the coordinator's start.
public struct CoordinatorCounters: Hashable, Sendable {
    /// Streams that ended as their request says.
    public internal(set) var completed: UInt64 = 0

    /// Streams that failed or expired.
    public internal(set) var failed: UInt64 = 0

    /// Streams that were cancelled.
    public internal(set) var cancelled: UInt64 = 0

    /// Attempts that were lost with their worker and went on elsewhere.
    public internal(set) var failovers: UInt64 = 0

    /// Submits that were rejected.
    public internal(set) var rejected: UInt64 = 0

    /// Rows and ends of fenced attempts.
    public internal(set) var stale: UInt64 = 0

    /// Messages that the protocol does not allow.
    public internal(set) var violations: UInt64 = 0

    /// Accepted tokens.
    public internal(set) var tokens: UInt64 = 0

    /// Streams that wait for a slot.
    public internal(set) var queued = 0

    /// Streams that wait for their consumers' credit without a slot.
    public internal(set) var parked = 0

    /// Bytes in the prompts of streams that have not ended.
    public internal(set) var promptBytes = 0

    /// Streams that run on a worker.
    public internal(set) var active = 0
}
