public import ApusModel

/// A worker as an operator sees it.
public struct WorkerView: Sendable {
    /// What it said of itself.
    public let registration: WorkerRegistration

    /// `ready`, `draining`, `slow`, `quarantined`, `suspect` (silent or hung, still connected) or `lost`.
    public let state: String

    /// Streams that are leased to it.
    public let leases: Int

    /// Its last reported load.
    public let load: WorkerLoad

    /// When anything last came from it.
    public let lastBeat: Timestamp

    /// Attempts that were lost with it.
    public let failures: UInt64

    /// Accepted tokens.
    public let tokens: UInt64
}

/// A stream of a job as an operator sees it.
public struct JobView: Hashable, Sendable {
    /// The job's name.
    public let job: JobID

    /// One of its streams.
    public let stream: StreamID

    /// Which of its streams that is, from 0.
    public let choice: Int

    /// Its idempotency key.
    public let key: String

    /// `queued`, `streaming`, `paused` or the reason of its end.
    public let state: String

    /// How urgent it is.
    public let priority: Priority

    /// The name of the client that submitted it.
    public let client: String

    /// The model that it is bound to.
    public let model: ModelName?

    /// Accepted tokens.
    public let tokens: Int

    /// The most tokens it may have.
    public let maximumTokens: Int

    /// The worker that runs it.
    public let worker: WorkerName?

    /// Attempts so far.
    public let attempts: Int

    /// How it was continued.
    public let continuity: Continuity

    /// When it was accepted.
    public let acceptedAt: Timestamp

    /// What went wrong.
    public let error: ApusError?
}

extension CoordinatorMachine {
    /// All workers in the order of their names.
    public var workerViews: [WorkerView] {
        workers.indices.filter { !workers[$0].isVacant }.sorted {
            workers[$0].registration.name < workers[$1].registration.name
        }.map { place in
            let worker = workers[place]
            let state =
                switch worker.state {
                case .ready: Self.readyState(worker)
                case .lost: "suspect"
                case .gone: "lost"
                }
            return WorkerView(
                registration: worker.registration,
                state: state,
                leases: costs[place].leases,
                load: worker.load,
                lastBeat: watches[place].lastBeat,
                failures: worker.failures,
                tokens: worker.tokens
            )
        }
    }

    private static func readyState(_ worker: WorkerEntry) -> String {
        if worker.isDraining { return "draining" }
        if worker.isSlow { return "slow" }
        return worker.isQuarantined ? "quarantined" : "ready"
    }

    /// The connected workers.
    public var connectedWorkers: [WorkerPeer] { workers.filter(\.isConnected).map(\.peer) }

    /// The connected clients, in no particular order.
    public var connectedClients: [ClientPeer] { clients.lazy.filter { !$0.isVacant }.map(\.peer) }

    /// Whether a client's connection is known.
    public func isConnected(_ peer: ClientPeer) -> Bool { clientPlaces[peer] != nil }

    /// The number of streams that are kept.
    public var streamCount: Int { ledger.count }

    /// The job of a stream that is in memory.
    public func job(of stream: StreamID) -> JobID? { ledger.place(of: stream).map { ledger[$0].job } }

    /// The name of a registered worker.
    public func workerName(of peer: WorkerPeer) -> WorkerName? {
        workerPlaces[peer].map { workers[$0].registration.name }
    }

    /// Whether slots are to be leased at the end of the turn.
    public var hasWork: Bool { needsDispatch || !unsettled.isEmpty }

    /// The streams of the newest jobs, newest first.
    public func jobViews(limit: Int) -> [JobView] {
        ledger.newest(limit).map { view(of: ledger[$0]) }
    }

    private func view(of entry: StreamEntry) -> JobView {
        let state =
            switch entry.phase {
            case .ended: entry.end?.reason.rawValue ?? FinishReason.failed.rawValue
            case .running: "streaming"
            case .parked: "paused"
            case .unbound, .queued, .delayed, .awaited: "queued"
            }
        return JobView(
            job: entry.job,
            stream: entry.id,
            choice: Int(entry.choice),
            key: entry.key,
            state: state,
            priority: entry.request.priority,
            client: entry.clientName,
            model: entry.model.map { models[$0].name } ?? entry.request.model,
            tokens: entry.next,
            maximumTokens: entry.request.maximumTokens,
            worker: entry.worker.map { workers[$0].registration.name },
            attempts: Int(entry.epoch.rawValue),
            continuity: entry.continuity,
            acceptedAt: entry.acceptedAt,
            error: entry.end?.error
        )
    }

    /// From now on new jobs are rejected; accepted ones go on.
    public mutating func drainingBegan() {
        isDraining = true
    }

    /// Whether streams run that would not survive the coordinator.
    public var runsVolatile: Bool {
        guard settings.recallsEnded else { return counters.active > 0 }
        return !ledger.streams(where: { $0.worker != nil && $0.request.durability == .none }).isEmpty
    }

    /// The coordinator goes: every stream that has not ended yet and is in no journal ends with an explicit error.
    public mutating func abandonAll(at now: Timestamp, into turn: inout Turn) {
        let error = ApusError(.shuttingDown, "the coordinator was shut down before the job ended; submit it again")
        let keeps = settings.recallsEnded
        for stream in ledger.streams(where: { $0.end == nil && !(keeps && $0.request.durability != .none) }) {
            guard let place = ledger.place(of: stream) else { continue }
            end(place, .failed, error: error, at: now, into: &turn)
        }
    }
}
