public import ApusModel

/// What one turn of the coordinator decided: first everything that must be durable, then everything that may be seen.
///
/// The driver commits `tokens` and `records` as one batch and only then performs the rest, in this order: `outgoing`,
/// `effects`, `acknowledgements`, `revocations`. Acceptance, dispatch and release are therefore durable before they are
/// visible, whatever the machine decides. A turn is reused: `reset` keeps its memory.
public struct Turn: Sendable {
    /// Accepted tokens of this turn, a value a step message; to be journaled before the records.
    public var tokens: [TokenColumns] = []

    /// Facts to journal, in order.
    public var records: [JournalRecord] = []

    /// Tokens to send, by the client's place in `clients`.
    public var outgoing: [TokenColumns] = []

    /// The clients that `outgoing` has tokens for, in the order of their first token.
    public var clients: [OutgoingClient] = []

    /// Everything else to send, in order.
    public var effects: [Effect] = []

    /// Acknowledgements to send, by the worker's place.
    public var acknowledgements: [WorkerColumns] = []

    /// Attempts that workers have to drop, by the worker's place.
    public var revocations: [WorkerColumns] = []

    // Where each worker's rows stand in `acknowledgements` and in `revocations`.
    private var acknowledgementPlaces: [WorkerPeer: Int] = [:]
    private var revocationPlaces: [WorkerPeer: Int] = [:]

    /// How long dispatched streams waited in the queue, with the name of the worker that took them.
    public var queueWaits: [MeasuredTime] = []

    /// Times from acceptance to the first token, with the name of the worker that computed it.
    public var firstTokens: [MeasuredTime] = []

    /// An empty turn.
    public init() {}

    /// Whether nothing has to be done.
    public var isEmpty: Bool {
        tokens.isEmpty && records.isEmpty && clients.isEmpty && effects.isEmpty && acknowledgements.isEmpty
            && revocations.isEmpty
    }

    /// Forgets everything and keeps the memory.
    public mutating func reset() {
        Self.empty(&tokens)
        Self.empty(&records)
        for place in outgoing.indices where !outgoing[place].isEmpty { outgoing[place].removeAll() }
        Self.empty(&clients)
        Self.empty(&effects)
        Self.empty(&acknowledgements)
        Self.empty(&revocations)
        if !acknowledgementPlaces.isEmpty { acknowledgementPlaces.removeAll(keepingCapacity: true) }
        if !revocationPlaces.isEmpty { revocationPlaces.removeAll(keepingCapacity: true) }
        Self.empty(&queueWaits)
        Self.empty(&firstTokens)
    }

    /// Most of a turn's parts are empty in most turns, where removing all still has its costs.
    @inline(__always)
    private static func empty<Element>(_ elements: inout [Element]) {
        if !elements.isEmpty { elements.removeAll(keepingCapacity: true) }
    }

    /// Notes that a worker may forget tokens before `through` and compute up to `limit`.
    mutating func acknowledge(_ peer: WorkerPeer, _ stream: StreamID, through: Int, limit: Int) {
        let place = Self.place(of: peer, in: &acknowledgements, &acknowledgementPlaces)
        acknowledgements[place].streams.append(stream.rawValue)
        acknowledgements[place].first.append(UInt64(through))
        acknowledgements[place].second.append(UInt64(limit))
    }

    /// Notes that a worker has to drop an attempt.
    mutating func revoke(_ peer: WorkerPeer, _ stream: StreamID, _ epoch: Epoch) {
        let place = Self.place(of: peer, in: &revocations, &revocationPlaces)
        revocations[place].streams.append(stream.rawValue)
        revocations[place].first.append(UInt64(epoch.rawValue))
    }

    private static func place(
        of peer: WorkerPeer,
        in columns: inout [WorkerColumns],
        _ places: inout [WorkerPeer: Int]
    ) -> Int {
        // Rows come one worker after the other, but for those that clients cause.
        if let last = columns.last, last.peer == peer { return columns.count - 1 }
        if let place = places[peer] { return place }
        places[peer] = columns.count
        columns.append(WorkerColumns(peer: peer))
        return columns.count - 1
    }
}

/// A client that gets tokens in this turn, and where they stand in `Turn.outgoing`.
public struct OutgoingClient: Hashable, Sendable {
    /// The client.
    public let peer: ClientPeer

    /// The place of its tokens in `Turn.outgoing`.
    public let place: Int
}

/// Rows for one worker: acknowledgements (`first`: through, `second`: limit) or revocations (`first`: epoch).
public struct WorkerColumns: Hashable, Sendable {
    /// The worker.
    public let peer: WorkerPeer

    /// The stream of each row.
    public var streams: [UInt64] = []

    /// The first number of each row.
    public var first: [UInt64] = []

    /// The second number of each row.
    public var second: [UInt64] = []

    init(peer: WorkerPeer) {
        self.peer = peer
    }
}

/// A measured time that belongs to a worker.
public struct MeasuredTime: Hashable, Sendable {
    /// The worker.
    public let worker: WorkerName

    /// The time, from the job's acceptance.
    public let time: Duration
}

/// Something to send once the turn is durable.
public enum Effect: Hashable, Sendable {
    /// Answers a hello.
    case welcome(ClientPeer)

    /// Answers a question for the cluster's status.
    case status(ClientPeer, request: UInt64)

    /// Answers a question for the newest jobs.
    case jobs(ClientPeer, request: UInt64, limit: Int)

    /// Answers a submit with the job's first stream, or an attach with the one that was asked for, and that stream's seed; the job
    /// has so many streams.
    case accept(ClientPeer, request: UInt64, job: JobID, stream: StreamID, seed: UInt64, choices: Int)

    /// Answers a submit or an attach that can't be served.
    indirect case reject(ClientPeer, request: UInt64, ApusError)

    /// Sends tokens from the journal to a client that is behind; they come before a `finish` for the same stream.
    case replay(ClientPeer, StreamID, from: Int, count: Int)

    /// Tells a client that a stream ended; all its tokens are sent.
    indirect case finish(ClientPeer, StreamID, JobID, StreamEnd)

    /// Answers a cancel, a drain or a change of workers' settings.
    case done(ClientPeer, request: UInt64)

    /// Answers a retry with the new job.
    case retried(ClientPeer, request: UInt64, JobID)

    /// Answers a question for the streams that failed or expired.
    case deadLetters(ClientPeer, request: UInt64, limit: Int)

    /// Answers a request that failed.
    indirect case refuse(ClientPeer, request: UInt64, ApusError)

    /// Answers a registration; the worker drops whatever is not kept.
    case enlist(WorkerPeer, keep: [HeldAttempt])

    /// Answers a worker's message that can't be taken.
    indirect case refuseWorker(WorkerPeer, ApusError)

    /// Starts an attempt; the ids of tokens before `next` come from the journal.
    indirect case assign(WorkerPeer, StreamID, Epoch, GenerationRequest, next: Int, limit: Int)

    /// Changes how a worker chooses its batches.
    case configure(WorkerPeer, WorkerSettings)

    /// Lets a worker finish and leave.
    case drain(WorkerPeer)

    /// Drops what is measured of a worker that is gone for long.
    case forgetWorker(WorkerName)

    /// Tells the operator what happened to a worker.
    case report(WorkerName, WorkerEvent)
}

/// What happened to a worker, for the log.
public enum WorkerEvent: Hashable, Sendable {
    /// It registered.
    case joined
    /// It said good-bye, with so many streams still leased to it.
    case left(streams: Int)
    /// It is lost; its streams are leased elsewhere.
    case lost(LossCause, streams: Int)
    /// It is back.
    case returned
    /// It is draining.
    case draining
}

/// How a worker was lost; the raw value appears in logs and in dead letters.
public enum LossCause: String, Sendable {
    /// Its connection is gone.
    case disconnected
    /// It sent nothing for the beat timeout.
    case silent
    /// It beats, but its engine stands still.
    case hung
    /// Another process registered under its name.
    case replaced
}
