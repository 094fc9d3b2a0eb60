import ApusCore
import ApusModel

/// What the coordinator does with its journal beside committing, and while the disk refuses batches: as `ApusCoordinator` does it.
extension World {
    /// How often the journal is asked what it may forget, in nanoseconds.
    private static let expiryInterval: Int64 = 100_000_000

    /// Streams whose retention is over that go with one tick.
    private static let expiredStreams = 16

    // MARK: - Ended jobs

    /// Finds a job again that ended and that the machine has dropped from its memory since.
    ///
    /// - Returns: Whether the journal could be read.
    mutating func recall(_ job: JobID?, key: String) -> Bool {
        guard configuration.settings.recallsEnded else { return true }
        let isKnown = job.map { coordinator.machine.knows($0) } ?? coordinator.machine.knows(key: key)
        guard !isKnown else { return true }
        guard isReadable else { return false }
        guard planted?.findsEnded ?? true else { return true }
        let found = job.map { disk.find($0) } ?? disk.find(key: planted?.sought(key) ?? key)
        guard let found, !found.ends.contains(where: { $0 == nil }) else { return true }
        var accepted = found.accepted
        // Under a planted bug another job may have been found.
        if job == nil { accepted.key = key }
        let streams = zip(found.tokens, found.ends).compactMap { tokens, end in
            end.map { EndedStream(tokens: tokens, end: $0) }
        }
        trace?.note(now, "coordinator    finds job \(accepted.job) in the journal")
        coordinator.machine.recalled(
            accepted,
            streams,
            bulkDigest: found.bulkDigest,
            ownsKey: job == nil,
            at: machineMoment
        )
        return true
    }

    /// A client wants a failed job tried again.
    mutating func retryRequested(_ job: JobID, number: UInt64, by peer: ClientPeer) {
        guard isReadable else {
            coordinator.turn.effects.append(.refuse(peer, request: number, SimulatedKeeper.refusal))
            return
        }
        guard let found = disk.find(job) else {
            coordinator.turn.effects.append(.refuse(peer, request: number, ApusError(.notFound, "no such job")))
            return
        }
        coordinator.machine.retryRequested(
            by: peer,
            number: number,
            planted?.retried(found.accepted) ?? found.accepted,
            ends: found.ends,
            newest: disk.find(key: found.accepted.key)?.accepted.job,
            at: machineMoment,
            into: &coordinator.turn
        )
    }

    /// Forgets ended jobs whose time in the journal is over, and looks whether it is full.
    mutating func forgetExpired() {
        guard configuration.settings.recallsEnded, now >= coordinator.expiryDue else { return }
        coordinator.expiryDue = now + Self.expiryInterval
        if isReadable {
            let retention = planted?.retention(configuration.journalRetention) ?? configuration.journalRetention
            let streams = disk.expired(at: moment, retention: retention, limit: Self.expiredStreams)
            coordinator.machine.retentionEnded(streams, into: &coordinator.turn)
        }
        coordinator.machine.journalFilled(disk.unendedJobs >= configuration.journalJobs)
    }

    /// Whether the disk can be read now.
    @inline(__always)
    var isReadable: Bool { now >= disk.unreadableUntil }

    // MARK: - While batches are refused

    /// The disk refuses a turn's batch: the turn is held as it is, and nothing of it may be seen.
    mutating func hold(_ turn: inout Turn) {
        disk.refuse(SimulatedBatch(tokens: turn.tokens, records: turn.records))
        if coordinator.keeper.isWell {
            trace?.note(now, "coordinator    can't write its journal and stands still")
            checkers.outageBegan(at: moment)
        }
        coordinator.keeper.failed(at: now)
        if planted?.bug == .turnDropped { turn.reset() }
    }

    /// A turn while nothing can be made durable: the undone one is tried again; else only questions are answered.
    mutating func turnWithoutJournal() {
        tellLosses()
        takeQuestions()
        if let retryAt = coordinator.keeper.retryAt, now >= retryAt { performTurn(again: true) }
        guard coordinator.isRunning else { return }
        coordinator.busyUntil = max(coordinator.busyUntil, now + coordinatorRandom.within(configuration.turnTime))
        planTurn(at: coordinator.keeper.retryAt ?? now)
    }

    /// Takes clients' messages: whoever wants a promise is refused, what changes no promise is taken.
    private mutating func takeQuestions() {
        for _ in 0..<SimulatedCoordinator.messageBudget {
            guard let (connection, request) = coordinator.clientInbox.popFirst() else { return }
            let peer = ClientPeer(rawValue: UInt64(connection))
            if planted?.bug == .promisedWithoutJournal, case .submit = request {
                takeHasty(request, from: peer)
                continue
            }
            switch request {
            case .submit(let number, _, _, _), .attach(let number, _, _, _, _, _):
                perform(.reject(peer, request: number, SimulatedKeeper.refusal))
            case .cancel(let number, _), .drain(let number, _), .retry(let number, _):
                perform(.refuse(peer, request: number, SimulatedKeeper.refusal))
            case .hello:
                checkers.requestTold(request, from: peer, at: moment)
                tell(request, from: peer)
                // Its welcome waits for nothing.
                if coordinator.turn.effects.last == .welcome(peer) { coordinator.turn.effects.removeLast() }
                perform(.welcome(peer))
            case .credit, .detach:
                if coordinator.machine.isConnected(peer) {
                    checkers.requestTold(request, from: peer, at: moment)
                    tell(request, from: peer)
                } else {
                    perform(.refuse(peer, request: 0, Self.givenUp))
                }
            }
            guard !coordinator.isDying else { return }
        }
    }

    /// What a planted bug does with a submit.
    private mutating func takeHasty(_ request: ClientRequest, from peer: ClientPeer) {
        let before = coordinator.turn.effects.count
        checkers.requestTold(request, from: peer, at: moment)
        tell(request, from: peer)
        for effect in coordinator.turn.effects[before...] { perform(effect) }
        coordinator.turn.effects.removeSubrange(before...)
    }

    /// What a client hears whose connection is not known any more.
    static let givenUp = ApusError(.notFound, "this connection was given up; say hello and attach again")
}
