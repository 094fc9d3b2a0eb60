public import ApusModel

extension CoordinatorMachine {
    /// The name of clients that do not say one: all of them share its part of the workers.
    public static let unnamed = "unnamed"

    /// A client said hello, or sent anything as a peer that is not known yet.
    ///
    /// - Returns: Whether it is taken; `false` when `clientLimit` clients are connected.
    public mutating func clientJoined(_ peer: ClientPeer, name: String?) -> Bool {
        if let place = clientPlaces[peer] {
            if let name { clients[place].name = name }
            return true
        }
        guard clientPlaces.count < settings.clientLimit else { return false }
        let entry = ClientEntry(peer: peer, name: name ?? Self.unnamed)
        if let place = vacantClients.popLast() {
            clients[place] = entry
            clientPlaces[peer] = place
        } else {
            clientPlaces[peer] = clients.count
            clients.append(entry)
        }
        return true
    }

    /// A client's connection is gone: nobody follows its streams through it any more; the streams go on.
    public mutating func clientLost(_ peer: ClientPeer, into turn: inout Turn) {
        guard let place = clientPlaces.removeValue(forKey: peer) else { return }
        let followed = clients[place].following.sorted()
        clients[place] = .vacant
        vacantClients.append(place)
        for stream in followed {
            guard let entry = ledger.place(of: stream) else { continue }
            ledger[entry].consumers.removeAll { $0.client == place }
            extendWorkerLimit(at: entry, into: &turn)
        }
    }

    /// A client's connection takes nothing more for now.
    public mutating func clientBlocked(_ peer: ClientPeer) {
        guard let place = clientPlaces[peer] else { return }
        clients[place].isBlocked = true
    }

    /// A client's connection takes messages again.
    public mutating func clientUnblocked(_ peer: ClientPeer) {
        guard let place = clientPlaces[peer] else { return }
        clients[place].isBlocked = false
        unsettled += clients[place].behind.sorted().map { (place, $0) }
        clients[place].behind.removeAll()
    }

    /// A client submitted a job.
    ///
    /// A job is accepted whole, with all of its streams, or not at all. The same key with the same request answers with the same
    /// job and all of its streams, from their first tokens; with another request it is refused.
    ///
    /// - Parameters:
    ///   - peer: The client's connection.
    ///   - number: The client's own number for the request; the answer carries it.
    ///   - key: The idempotency key.
    ///   - request: A request that `validate` let through.
    ///   - credit: The index up to which the client takes tokens of each stream.
    ///   - now: When it came.
    ///   - turn: Receives the decisions.
    public mutating func submitted(
        by peer: ClientPeer,
        number: UInt64,
        key: String,
        request: GenerationRequest,
        credit: Int,
        at now: Timestamp,
        into turn: inout Turn
    ) {
        do throws(ApusError) {
            if let known = keys[key], let place = ledger.place(of: known) {
                try checkRepeated(request, at: place)
                try follow(siblings(of: place), by: peer, number: number, from: 0, credit: credit, into: &turn)
                return
            }
            guard let client = clientPlaces[peer] else { return }
            // A client that may follow nothing more is refused before anything is promised.
            try checkRoom(of: client, streams: request.choices)
            let work = try admit(request, key: key, client: clients[client].key)
            let stream = accept(request, key: key, client: clients[client].name, work: work, at: now, into: &turn)
            guard let place = ledger.place(of: stream) else { return }
            let places = siblings(of: place)
            for place in places { admission.inserted(ledger[place].waiting) }
            try follow(places, by: peer, number: number, from: 0, credit: credit, into: &turn)
            for place in places { enqueue(place) }
        } catch {
            counters.rejected += 1
            turn.effects.append(.reject(peer, request: number, error))
        }
    }

    /// A client wants to follow one stream of a job from an index.
    ///
    /// - Parameters:
    ///   - peer: The client's connection.
    ///   - number: The client's own number for the request; the answer carries it.
    ///   - job: The job's name; `nil` looks it up by its key.
    ///   - key: The idempotency key.
    ///   - choice: Which of the job's streams, from 0.
    ///   - index: The first index that the client wants.
    ///   - credit: The index up to which the client takes tokens.
    ///   - turn: Receives the decisions.
    public mutating func attached(
        by peer: ClientPeer,
        number: UInt64,
        job: JobID?,
        key: String,
        choice: Int = 0,
        from index: Int,
        credit: Int,
        into turn: inout Turn
    ) {
        do throws(ApusError) {
            guard let first = job.map({ jobs[$0] }) ?? keys[key], let firstPlace = ledger.place(of: first) else {
                throw ApusError(.notFound, "no such job; ended jobs are kept for a limited time")
            }
            let places = siblings(of: firstPlace)
            guard places.indices.contains(choice) else {
                throw ApusError(
                    .invalidRequest,
                    "choice is \(choice); it must be between 0 and \(places.count - 1), as the job has \(places.count) streams"
                )
            }
            let place = places[choice]
            guard index >= 0, index <= ledger[place].furthestStart else {
                throw ApusError(
                    .invalidRequest,
                    "the job has \(ledger[place].next) tokens so far; it can't be followed from index \(index)"
                )
            }
            try follow([place], by: peer, number: number, from: index, credit: credit, into: &turn)
        } catch {
            turn.effects.append(.reject(peer, request: number, error))
        }
    }

    /// A client follows streams no longer; they go on.
    public mutating func detached(by peer: ClientPeer, streams: [UInt64], into turn: inout Turn) {
        guard let client = clientPlaces[peer] else { return }
        for number in streams {
            guard let place = ledger.place(of: StreamID(rawValue: number)),
                let consumer = ledger[place].consumers.firstIndex(where: { $0.client == client })
            else { continue }
            ledger[place].consumers.remove(at: consumer)
            clients[client].following.remove(ledger[place].id)
            extendWorkerLimit(at: place, into: &turn)
        }
    }

    /// A client raised the indexes up to which it takes tokens; a lower limit than before changes nothing.
    public mutating func credited(by peer: ClientPeer, streams: [UInt64], limits: [UInt64], into turn: inout Turn) {
        guard let client = clientPlaces[peer] else { return }
        guard streams.count == limits.count else {
            counters.violations += 1
            return
        }
        for (number, limit) in zip(streams, limits) {
            let stream = StreamID(rawValue: number)
            guard let place = ledger.place(of: stream),
                let consumer = ledger[place].consumers.firstIndex(where: { $0.client == client })
            else { continue }
            let bounded = bound(credit: Int(clamping: limit), from: ledger[place].consumers[consumer].cursor)
            guard bounded > ledger[place].consumers[consumer].limit else { continue }
            ledger[place].consumers[consumer].limit = bounded
            if ledger[place].consumers[consumer].cursor < ledger[place].next { unsettled.append((client, stream)) }
            extendWorkerLimit(at: place, into: &turn)
        }
    }

    /// A client cancels a job with all of its streams; those that already ended stay as they are.
    public mutating func cancelRequested(
        by peer: ClientPeer,
        number: UInt64,
        job: JobID,
        at now: Timestamp,
        into turn: inout Turn
    ) {
        guard let stream = jobs[job], let place = ledger.place(of: stream) else {
            turn.effects.append(.refuse(peer, request: number, ApusError(.notFound, "no such job")))
            return
        }
        let places = siblings(of: place)
        for place in places { end(place, .cancelled, at: now, into: &turn) }
        // Followers hear of the end first: nothing of the streams comes after the answer. Other jobs' may still get tokens in this
        // turn, which are sent before what is settled here.
        settleConsumers(of: stream.rawValue..<stream.rawValue + UInt64(places.count), into: &turn)
        turn.effects.append(.done(peer, request: number))
    }

    // MARK: - Following

    /// Lets a client follow streams of one job, all of them or none, and answers with the first one's number.
    private mutating func follow(
        _ places: [Int],
        by peer: ClientPeer,
        number: UInt64,
        from index: Int,
        credit: Int,
        into turn: inout Turn
    ) throws(ApusError) {
        guard let client = clientPlaces[peer], let first = places.first else { return }
        try checkRoom(of: client, toFollow: places)
        turn.effects.append(
            .accept(
                peer,
                request: number,
                job: ledger[first].job,
                stream: ledger[first].id,
                seed: ledger[first].request.sampling.seed ?? 0,
                choices: Int(ledger[first].choices)
            )
        )
        for place in places {
            let consumer = Consumer(client: client, cursor: index, limit: bound(credit: credit, from: index))
            if let present = ledger[place].consumers.firstIndex(where: { $0.client == client }) {
                ledger[place].consumers[present] = consumer
            } else {
                ledger[place].consumers.append(consumer)
                clients[client].following.insert(ledger[place].id)
            }
            unsettled.append((client, ledger[place].id))
            extendWorkerLimit(at: place, into: &turn)
        }
    }

    /// Whether a client may follow streams, some of which it may follow already.
    private func checkRoom(of client: Int, toFollow places: [Int]) throws(ApusError) {
        var new = 0
        for place in places where !ledger[place].consumers.contains(where: { $0.client == client }) {
            new += 1
            guard ledger[place].consumers.count < settings.consumersPerStream else {
                throw ApusError(
                    .overloaded,
                    "too many clients follow this job already",
                    retryAfter: settings.retryAfter
                )
            }
        }
        if new > 0 { try checkRoom(of: client, streams: new) }
    }

    /// Whether a client may follow so many more streams.
    private func checkRoom(of client: Int, streams: Int) throws(ApusError) {
        let following = clients[client].following.count
        guard following + streams <= settings.streamsPerClient else {
            throw ApusError(
                .overloaded,
                "the client follows \(following) streams already",
                retryAfter: settings.retryAfter
            )
        }
    }

    /// A client may not make the coordinator send more than a window at once.
    private func bound(credit: Int, from cursor: Int) -> Int {
        min(max(credit, cursor), cursor + Limits.creditWindow)
    }

    /// Sends what is available to every consumer that was marked, and its end to one that has everything.
    ///
    /// - Parameters:
    ///   - only: The streams whose consumers are settled, which get no more tokens in this turn; `nil` for all streams, when the
    ///     turn ends.
    ///   - turn: Receives what is sent.
    mutating func settleConsumers(of only: Range<UInt64>? = nil, into turn: inout Turn) {
        var later: [(client: Int, stream: StreamID)] = []
        for (client, stream) in unsettled {
            if let only, !only.contains(stream.rawValue) {
                later.append((client, stream))
                continue
            }
            guard let place = ledger.place(of: stream),
                let position = ledger[place].consumers.firstIndex(where: { $0.client == client })
            else { continue }
            let peer = clients[client].peer
            if clients[client].isBlocked {
                clients[client].behind.insert(stream)
                continue
            }
            ledger[place].consumers[position].isSettled = true
            let consumer = ledger[place].consumers[position]
            let isCancelled = ledger[place].end?.reason == .cancelled
            let wanted = isCancelled ? 0 : min(ledger[place].next, consumer.limit) - consumer.cursor
            let count = min(wanted, settings.replayTokens - clients[client].replayed)
            if count > 0 {
                turn.effects.append(.replay(peer, stream, from: consumer.cursor, count: count))
                ledger[place].consumers[position].cursor += count
                clients[client].replayed += count
            }
            if count < wanted {
                later.append((client, stream))
                continue
            }
            if let end = ledger[place].end,
                isCancelled || ledger[place].consumers[position].cursor >= ledger[place].next
            {
                turn.effects.append(.finish(peer, stream, ledger[place].job, end))
                ledger[place].consumers.remove(at: position)
                clients[client].following.remove(stream)
            }
        }
        unsettled = later
    }
}
