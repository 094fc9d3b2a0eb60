package import ApusModel

/// How much a machine keeps, counted anew from its streams and queues, beside what its counters say.
package struct MachineAudit: Hashable, Sendable {
    /// Streams that run on a worker.
    package var running = 0

    /// Streams that wait for a slot, whatever keeps them from one.
    package var waiting = 0

    /// Streams that wait for their consumers' credit.
    package var parked = 0

    /// Streams that ended and are kept.
    package var ended = 0

    /// Streams that wait for their first slot, and their token work, as admission counts them.
    package var admitted = 0
    package var admittedWork = 0

    /// The token work of the streams that wait for their first slot, counted anew.
    package var countedWork = 0

    /// Entries of the lines of all models, and of the lists of streams that wait elsewhere or are paused.
    package var queued = 0

    /// Deadlines that are held.
    package var deadlines = 0

    /// Streams of the jobs in the queue for retention.
    package var retained = 0

    /// Connected clients, and the most streams that one of them follows.
    package var clients = 0
    package var followed = 0

    /// The most clients that follow one stream.
    package var consumers = 0

    /// Workers that are known, those that are gone but still shown included.
    package var workers = 0

    /// Bytes in the prompts, constraints and biases of streams that have not ended.
    package var promptBytes = 0

    /// Names of jobs and keys.
    package var jobs = 0
    package var keys = 0

    /// Nothing.
    package init() {}

    /// Each size with the most that it may be.
    package func sizes(under settings: CoordinatorSettings) -> [(name: String, count: Int, bound: Int)] {
        let unended = running + waiting + parked
        return [
            ("admissions that wait", admitted, settings.admission.streams),
            ("token work that waits", admittedWork, settings.admission.work),
            ("entries of the queues", queued, 3 * (waiting + running) + 512),
            ("deadlines", deadlines, 2 * unended + 2_048),
            // What is over the bound is forgotten in the next tick.
            ("retained streams", retained, 2 * settings.retainedStreams + 1_024),
            // Those of jobs that go on are not retained yet.
            ("ended streams", ended, retained + (Limits.choices - 1) * unended),
            ("clients", clients, settings.clientLimit),
            ("streams that a client follows", followed, settings.streamsPerClient),
            ("clients that follow a stream", consumers, settings.consumersPerStream),
            ("workers", workers, Limits.workers),
            ("bytes of prompts", promptBytes, settings.promptBytes),
            ("names of jobs", jobs, unended + ended),
            ("keys", keys, unended + ended),
        ]
    }
}

/// A worker's slots, as its counter says and as the streams say.
package struct WorkerAudit: Hashable, Sendable {
    /// The worker.
    package let name: WorkerName

    /// The slots that it registered with.
    package let slots: Int

    /// Slots that are counted as leased.
    package let leases: Int

    /// Streams that say that they are leased to it, hedges included.
    package let seated: Int
}

/// What of a stream outlives a coordinator.
package struct DurableStream: Hashable, Sendable, CustomStringConvertible {
    package let stream: StreamID
    package let job: JobID
    package let key: String
    package let seed: UInt64?
    package let maximumTokens: Int
    package let deadline: Timestamp
    package let next: Int
    package let epoch: Epoch
    package let end: StreamEnd?

    /// Describes a stream.
    package init(
        stream: StreamID,
        job: JobID,
        key: String,
        seed: UInt64?,
        maximumTokens: Int,
        deadline: Timestamp,
        next: Int,
        epoch: Epoch,
        end: StreamEnd?
    ) {
        self.stream = stream
        self.job = job
        self.key = key
        self.seed = seed
        self.maximumTokens = maximumTokens
        self.deadline = deadline
        self.next = next
        self.epoch = epoch
        self.end = end
    }

    /// What differs most often, in one line.
    package var description: String {
        "stream \(stream) with \(next) tokens, attempt \(epoch), deadline \(deadline.nanoseconds) ns, "
            + (end.map { "\($0.reason.rawValue) with \($0.usage.completionTokens) tokens" } ?? "not ended")
    }
}

extension CoordinatorMachine {
    /// How much is kept; looks at every stream, client and queue.
    package var audit: MachineAudit {
        var audit = MachineAudit()
        // By place: an entry is large, and is looked at where it stands.
        for place in ledger.newest(.max) {
            if ledger[place].hasEnded {
                audit.ended += 1
            } else {
                audit.promptBytes += ledger[place].request.bulkBytes
                if ledger[place].worker != nil {
                    audit.running += 1
                } else if ledger[place].phase == .parked {
                    audit.parked += 1
                } else {
                    audit.waiting += 1
                    if ledger[place].epoch == .none { audit.countedWork += ledger[place].work }
                }
            }
            audit.consumers = max(audit.consumers, ledger[place].consumers.count)
        }
        audit.admitted = admission.streams
        audit.admittedWork = admission.work
        audit.queued = unbound.count + delayed.count + paused.count
        for model in models { audit.queued += model.line.count }
        audit.deadlines = deadlines.count
        audit.retained = retained.streams + retainedVolatile.streams
        audit.clients = clientPlaces.count
        for place in clients.indices { audit.followed = max(audit.followed, clients[place].following.count) }
        audit.workers = workerNames.count
        audit.jobs = jobs.count
        audit.keys = keys.count
        return audit
    }

    /// The slots of all workers that are shown; looks at every stream.
    package var workerAudits: [WorkerAudit] {
        var seated = [Int](repeating: 0, count: workers.count)
        for place in ledger.newest(.max) {
            if let worker = ledger[place].worker { seated[worker] += 1 }
        }
        for place in workers.indices { seated[place] += workers[place].hedges.count }
        return workers.indices.filter { !workers[$0].isVacant }.map { place in
            WorkerAudit(
                name: workers[place].registration.name,
                slots: workers[place].registration.slots,
                leases: costs[place].leases,
                seated: seated[place]
            )
        }
    }

    /// What of all streams outlives the coordinator, in the order of their acceptance.
    package var durableStreams: [DurableStream] {
        ledger.newest(.max).reversed().map { place in
            DurableStream(
                stream: ledger[place].id,
                job: ledger[place].job,
                key: ledger[place].key,
                seed: ledger[place].request.sampling.seed,
                maximumTokens: ledger[place].request.maximumTokens,
                deadline: ledger[place].deadline,
                next: ledger[place].next,
                epoch: ledger[place].epoch,
                end: ledger[place].end
            )
        }
    }

    /// Streams that wait in the line of their model, in the order of their places; looks at every stream.
    package func waitingStreams(limit: Int) -> [StreamID] {
        var streams: [StreamID] = []
        ledger.forEach { if $0.phase == .queued, streams.count < limit { streams.append($0.id) } }
        return streams
    }

    /// The place of the worker that a waiting stream would be leased to now; nothing is leased.
    ///
    /// - Parameter stream: A stream that waits in a line.
    /// - Returns: `nil` where no vacant worker suits it.
    package mutating func preferredWorker(for stream: StreamID) -> Int? {
        guard let place = ledger.place(of: stream), let model = ledger[place].model else { return nil }
        return chooseWorker(for: place, model: model)?.worker
    }

    /// The connections that follow a stream, in no particular order.
    package func followers(of stream: StreamID) -> [ClientPeer] {
        guard let place = ledger.place(of: stream) else { return [] }
        return ledger[place].consumers.map { clients[$0.client].peer }
    }
}

extension CoordinatorSettings {
    /// The weight of a client's share of the workers.
    package func share(of client: String) -> Int { shares[client] ?? 1 }
}
