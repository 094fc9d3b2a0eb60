public import ApusModel
import DequeModule

/// All decisions of a coordinator, as a value: facts with a timestamp go in, a `Turn` comes out.
///
/// It holds no clock, randomness, socket, task or token text. A driver feeds it whatever happened, then calls `turnEnded`,
/// commits the turn to the journal and performs the effects; a simulator does the same in virtual time. Equal facts in equal
/// order give equal turns in every process: no decision depends on the order of a set or a dictionary.
///
/// The methods stand by subject: `CoordinatorMachine+Clients`, `+Submissions`, `+Workers`, `+Operators`, `+Standing`, `+Steps`,
/// `+Ends`, `+Dispatch`, `+Attempts`, `+Hedges`, `+Time`, `+Recovery`, `+Journal`, `+Views`.
public struct CoordinatorMachine: Sendable {
    let settings: CoordinatorSettings

    // Streams.
    var ledger = StreamLedger()
    /// The first stream of each job, by the job's name and by its key.
    var jobs: [JobID: StreamID] = [:]
    var keys: [String: StreamID] = [:]
    var lastStream: UInt64
    var deadlines = DeadlineQueue()
    var retained = RetentionQueue()

    /// Of these, those that no journal keeps although it keeps others.
    var retainedVolatile = RetentionQueue()

    /// By the place of their stream in the ledger; few at a time.
    var hedges: [Int: Hedge] = [:]

    /// Streams that reached their worker's limit, oldest first; those that went on meanwhile are skipped.
    var paused: Deque<StreamID> = []

    // Workers: `watches` and `costs` have an element for each of `workers`.
    var workers: [WorkerEntry] = []
    var watches: [WorkerWatch] = []
    var costs: [WorkerCost] = []
    var workerPlaces: [WorkerPeer: Int] = [:]
    var workerNames: [WorkerName: Int] = [:]
    var vacantWorkers: [Int] = []

    /// Workers that are gone, in the order of their going; those that are back are skipped.
    var gone: Deque<GoneWorker> = []

    /// The places of workers under quarantine, and of those that are slow, some of which are not any more.
    var quarantined: [Int] = []
    var slow: [Int] = []

    // Clients.

    /// By place; what stands at a vacant one has no meaning.
    ///
    /// They are no optionals: whoever looked at one field of an optional entry would copy the whole of it.
    var clients: [ClientEntry] = []
    var clientPlaces: [ClientPeer: Int] = [:]
    var vacantClients: [Int] = []

    /// Consumers to look at when the turn ends.
    var unsettled: [(client: Int, stream: StreamID)] = []

    /// Consumers whose tokens could not be read, to look at with the next tick.
    var unread: [(client: Int, stream: StreamID)] = []

    // What waits.
    var models: [ModelEntry] = []
    var modelPlaces: [ModelName: Int] = [:]
    var admission: Admission
    var retries = RetryBudget()

    /// Streams that wait for the first worker of their model, or of any.
    var unbound: [StreamID] = []

    /// Streams that wait for the retry budget; those that ended meanwhile are skipped.
    var delayed: Deque<StreamID> = []

    /// After a restart: the streams that wait for their worker to come back, by its name, and how long they do.
    var awaited: [WorkerName: [StreamID]] = [:]

    /// The highest stream number in the journal of a former life.
    var replayedThrough: UInt64 = 0

    /// While a journal is replayed: the attempts of each stream that may still run.
    var awaitedLeases: [StreamID: [LeaseRecord]] = [:]

    var awaitedUntil: Timestamp?

    /// Whether a slot or a stream became available in this turn.
    var needsDispatch = false

    /// When time has to be looked at next.
    public internal(set) var nextTick: Timestamp
    var lastTurn: Timestamp?
    var isDraining = false

    /// Whether the journal has no room for more jobs.
    var isJournalFull = false

    /// Counted since the start.
    public internal(set) var counters = CoordinatorCounters()

    /// Begins with no worker, no client and no stream.
    public init(settings: CoordinatorSettings) {
        self.settings = settings
        lastStream = settings.firstStream - 1
        admission = Admission(limits: settings.admission)
        nextTick = .zero + settings.tickInterval
        // Small clusters, and all but a few simulated ones, never hash a key anew.
        jobs.reserveCapacity(64)
        keys.reserveCapacity(64)
    }

    /// Begins a turn, before any of its facts.
    ///
    /// When the coordinator itself stood still, the silence of others proves nothing: their deadlines move by its own lag.
    public mutating func turnBegan(at now: Timestamp) {
        defer { lastTurn = now }
        guard let lastTurn else { return }
        let lag = now - lastTurn - settings.tickInterval
        guard lag > settings.lagTolerance else { return }
        for place in watches.indices {
            costs[place].pace.excused(lag)
            // The last beat of a worker that is gone says since when it is.
            guard watches[place].isWatched else { continue }
            watches[place].lastBeat = watches[place].lastBeat + lag
            watches[place].progressAt = watches[place].progressAt + lag
        }
        if let until = awaitedUntil { awaitedUntil = until + lag }
    }

    /// Ends a turn: leases slots to waiting streams, then settles with every consumer that is behind.
    ///
    /// Facts of one turn are told in any number; nothing is leased or replayed before this call, so that a burst of facts
    /// makes one decision.
    public mutating func turnEnded(at now: Timestamp, into turn: inout Turn) {
        if needsDispatch {
            dispatch(at: now, into: &turn)
            needsDispatch = false
        }
        settleConsumers(into: &turn)
        for position in turn.effects.indices {
            switch turn.effects[position] {
            case .replay(let peer, _, _, _):
                if let place = clientPlaces[peer] { clients[place].replayed = 0 }
            case .enlist(let peer, let keep) where !keep.isEmpty:
                // What ended or was lost since in this turn must not be kept beside what its slot was given to.
                turn.effects[position] = .enlist(peer, keep: keep.filter { isLeased($0, to: workerPlaces[peer]) })
            default: break
            }
        }
        for outgoing in turn.clients {
            if let place = clientPlaces[outgoing.peer] { clients[place].outgoing = nil }
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

    /// Second attempts that were started beside a slow one.
    public internal(set) var hedges: UInt64 = 0

    /// Accepted tokens.
    public internal(set) var tokens: UInt64 = 0

    /// Streams that wait for a slot.
    public internal(set) var queued = 0

    /// Streams that wait for their consumers' credit without a slot.
    public internal(set) var parked = 0

    /// Bytes in the prompts, constraints and biases of streams that have not ended.
    public internal(set) var promptBytes = 0

    /// Streams that run on a worker.
    public internal(set) var active = 0
}
