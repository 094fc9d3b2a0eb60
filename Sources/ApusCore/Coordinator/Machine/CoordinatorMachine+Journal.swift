public import ApusModel

/// What a durable journal tells the machine while it runs: jobs that are no longer in memory, and how the medium is.
extension CoordinatorMachine {
    /// Whether a job is in memory.
    public func knows(_ job: JobID) -> Bool { jobs[job] != nil }

    /// Whether the job that a key belongs to is in memory.
    public func knows(key: String) -> Bool { keys[key] != nil }

    /// The journal has, or no longer has, as much as it may hold of jobs that did not end.
    public mutating func journalFilled(_ isFull: Bool) { isJournalFull = isFull }

    /// The journal still holds a job that ended and is asked for again: it is back in memory for a while.
    ///
    /// - Parameters:
    ///   - accepted: Its acceptance.
    ///   - streams: Its streams in the order of the choices, all ended.
    ///   - bulkDigest: The digest of the request's large parts, where the journal has dropped them; `nil` where it has them.
    ///   - ownsKey: Whether its key belongs to it, and not to a newer job.
    ///   - now: The present moment.
    public mutating func recalled(
        _ accepted: AcceptedRecord,
        _ streams: [EndedStream],
        bulkDigest: UInt64? = nil,
        ownsKey: Bool,
        at now: Timestamp
    ) {
        if jobs[accepted.job] == nil {
            insertEnded(accepted, streams, bulkDigest: bulkDigest ?? accepted.request.bulkDigest, at: now)
        }
        if ownsKey { keys[accepted.key] = accepted.stream }
    }

    private mutating func insertEnded(
        _ accepted: AcceptedRecord,
        _ streams: [EndedStream],
        bulkDigest: UInt64,
        at now: Timestamp
    ) {
        let weight = settings.shares[accepted.client] ?? 1
        for (choice, stream) in streams.enumerated() {
            var entry = StreamEntry(accepted, choice: choice, deadline: accepted.acceptedAt, weight: weight)
            entry.bulkDigest = bulkDigest
            entry.request.removeBulk()
            entry.unended = 0
            entry.phase = .ended
            entry.next = stream.tokens
            entry.epoch = Epoch(rawValue: UInt32(clamping: stream.end.attempts))
            entry.continuity = stream.end.continuity
            entry.end = stream.end
            _ = ledger.insert(consume entry)
        }
        jobs[accepted.job] = accepted.stream
        let tokens = streams.reduce(0) { $0 + $1.tokens }
        retained.append(accepted.stream, streams: streams.count, endedAt: now, tokens: tokens)
    }

    /// The retention of streams is over: whoever still follows one is told, and the journal may delete them.
    ///
    /// - Parameters:
    ///   - streams: Whole jobs that ended.
    ///   - turn: Receives the decisions.
    public mutating func retentionEnded(_ streams: [StreamID], into turn: inout Turn) {
        // The others of a job that is in memory go with its first.
        var gone: Range<UInt64> = 0..<0
        for stream in streams where !gone.contains(stream.rawValue) {
            guard let place = ledger.place(of: stream) else {
                turn.records.append(.forgotten(stream))
                continue
            }
            let first = ledger[place].firstStream
            gone = first.rawValue..<first.rawValue + UInt64(ledger[place].choices)
            forget(first, into: &turn)
        }
    }

    /// A client wants a job tried again that failed: a new job with the same request, seed and key is accepted.
    ///
    /// - Parameters:
    ///   - peer: The client's connection.
    ///   - number: The client's own number for the request; the answer carries it.
    ///   - accepted: The job's acceptance, with the whole request.
    ///   - ends: How its streams ended; `nil` for one that has not.
    ///   - newest: The job that the key belongs to.
    ///   - now: When it came.
    ///   - turn: Receives the decisions.
    public mutating func retryRequested(
        by peer: ClientPeer,
        number: UInt64,
        _ accepted: AcceptedRecord,
        ends: [StreamEnd?],
        newest: JobID?,
        at now: Timestamp,
        into turn: inout Turn
    ) {
        do throws(ApusError) {
            // What was accepted in this turn is not in the journal yet.
            let present = keys[accepted.key].flatMap { ledger.place(of: $0) }.map { ledger[$0].job }
            if let newest = present ?? newest, newest != accepted.job {
                throw ApusError(
                    .keyConflict,
                    "job \(newest) has the key of job \(accepted.job) and tries it again already"
                )
            }
            guard ends.allSatisfy({ $0 != nil }) else {
                throw ApusError(.invalidRequest, "job \(accepted.job) has not ended; only what failed is tried again")
            }
            guard ends.contains(where: { $0?.reason == .failed || $0?.reason == .expired }) else {
                throw ApusError(.invalidRequest, "job \(accepted.job) did not fail; only what failed is tried again")
            }
            let client = ClientKey(name: accepted.client)
            let work = try admit(accepted.request, key: accepted.key, client: client)
            let stream = accept(
                accepted.request,
                key: accepted.key,
                client: accepted.client,
                work: work,
                choseSeed: accepted.choseSeed,
                at: now,
                into: &turn
            )
            guard let place = ledger.place(of: stream) else { return }
            let places = siblings(of: place)
            for place in places { admission.inserted(ledger[place].waiting) }
            for place in places { enqueue(place) }
            turn.effects.append(.retried(peer, request: number, ledger[place].job))
        } catch {
            turn.effects.append(.refuse(peer, request: number, error))
        }
    }

    /// Tokens that a turn wants sent to a client could not be read: they are tried again after the next tick, and nothing that
    /// comes after them is sent before; told as soon as it is known, before any other fact.
    ///
    /// The driver sends nothing more of this turn that concerns the stream to this client: its end is told again, too.
    ///
    /// - Parameters:
    ///   - peer: The client's connection.
    ///   - stream: The stream.
    ///   - range: The indexes that were not sent.
    public mutating func replayFailed(to peer: ClientPeer, _ stream: StreamID, _ range: Range<Int>) {
        guard let client = clientPlaces[peer], let place = ledger.place(of: stream) else { return }
        if let position = ledger[place].consumers.firstIndex(where: { $0.client == client }) {
            let cursor = ledger[place].consumers[position].cursor
            ledger[place].consumers[position].cursor = min(cursor, range.lowerBound)
        } else {
            // It was thought to have everything, its end included.
            guard ledger[place].hasEnded else { return }
            ledger[place].consumers.append(
                Consumer(client: client, cursor: range.lowerBound, limit: range.upperBound, isSettled: true)
            )
            clients[client].following.insert(stream)
        }
        unread.append((client, stream))
    }

    /// A stream's tokens are damaged for good, so that nobody can continue it: it ends, with the reason.
    public mutating func historyLost(
        _ stream: StreamID,
        _ error: ApusError,
        at now: Timestamp,
        into turn: inout Turn
    ) {
        guard let place = ledger.place(of: stream) else { return }
        end(place, .failed, error: error, at: now, into: &turn)
    }

    /// An attempt could not be sent off because the stream's tokens could not be read: it is tried again after a while.
    public mutating func assignmentFailed(
        on peer: WorkerPeer,
        _ stream: StreamID,
        _ epoch: Epoch,
        at now: Timestamp,
        into turn: inout Turn
    ) {
        guard let worker = workerPlaces[peer], let place = ledger.place(of: stream) else { return }
        if ledger[place].isHedged, hedges[place]?.epoch == epoch, hedges[place]?.worker == worker {
            return dropHedge(place, into: &turn)
        }
        guard ledger[place].worker == worker, ledger[place].accepting == epoch else { return }
        loseAttempt(
            place,
            cause: "its tokens could not be read from the journal",
            countsAgainstStream: false,
            isHeldBack: true,
            at: now,
            into: &turn
        )
    }
}

/// A stream that ended and is known from a journal alone.
public struct EndedStream: Hashable, Sendable {
    /// Its tokens.
    public let tokens: Int

    /// How it ended.
    public let end: StreamEnd

    /// Describes an end.
    public init(tokens: Int, end: StreamEnd) {
        self.tokens = tokens
        self.end = end
    }
}
