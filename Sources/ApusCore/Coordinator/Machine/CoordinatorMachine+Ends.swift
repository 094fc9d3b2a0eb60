import ApusModel

/// What workers say of an attempt's first token and of its end.
extension CoordinatorMachine {
    /// A worker told where the time to an attempt's first token went: kept where that is the stream's own first token, which came
    /// in the same message.
    mutating func firstTokenTold(_ first: FirstTokenReport, on worker: Int, at now: Timestamp) {
        guard let place = ledger.place(of: first.stream), ledger[place].accepting == first.epoch,
            ledger[place].worker == worker, ledger[place].attemptStart == 0, ledger[place].firstTokenAt == now
        else { return }
        ledger[place].stages = first.stages
    }

    /// A worker ended an attempt.
    ///
    /// What another worker may be able to compute goes on elsewhere; what is wrong with the request itself ends the stream.
    mutating func attemptEnded(_ end: AttemptEnd, on worker: Int, at now: Timestamp, into turn: inout Turn) {
        guard let place = ledger.place(of: end.stream) else { return refuse(end, on: worker, into: &turn) }
        if ledger[place].isHedged, hedges[place]?.epoch == end.epoch, hedges[place]?.worker == worker {
            guard hedgeEnded(end, of: place, at: now, into: &turn) else { return }
        }
        guard ledger[place].accepting == end.epoch, ledger[place].worker == worker else {
            return refuse(end, on: worker, into: &turn)
        }
        guard isPossible(end, of: place, on: worker) else {
            return breakAttempt(place, on: worker, at: now, into: &turn)
        }
        ledger[place].promptTokens = end.promptTokens
        let error = end.error ?? ApusError(.engineFailure, "the worker gave up the stream without a reason")
        if end.reason == .failed, goesOn(place, after: error, on: worker, at: now, into: &turn) { return }
        turn.acknowledge(workers[worker].peer, end.stream, through: ledger[place].next, limit: ledger[place].next)
        switch end.reason {
        case .stop, .length:
            self.end(place, end.reason, summary: end.summary, at: now, into: &turn)
        case .failed, .cancelled, .expired:
            self.end(place, .failed, error: final(error, of: place), summary: end.summary, at: now, into: &turn)
        }
    }

    /// Lets a stream go on elsewhere whose attempt failed, where that can help.
    ///
    /// - Returns: Whether the failure is dealt with.
    private mutating func goesOn(
        _ place: Int,
        after error: ApusError,
        on worker: Int,
        at now: Timestamp,
        into turn: inout Turn
    ) -> Bool {
        var countsAgainstStream = true
        var isHeldBack = false
        switch error.code {
        case .promptTooLong:
            let own = workers[worker].registration.contextTokens
            guard models[workers[worker].model].pool.largestContext ?? 0 > own else { return false }
            // Another worker has more room; nobody is to blame.
            ledger[place].contextTokens = own + 1
            countsAgainstStream = false
        case .shuttingDown:
            // A worker that is leaving gives everything back, and must not get it again.
            workers[worker].isDraining = true
            refreshStanding(of: worker)
            ledger[place].avoided = worker
            countsAgainstStream = false
        case .overloaded:
            // It has no memory for more, and says so itself with its next message. A stream that nobody has room for must not
            // be passed around without end.
            workers[worker].isRefusing = true
            refreshStanding(of: worker)
            ledger[place].avoided = worker
            countsAgainstStream = false
            isHeldBack = ledger[place].isRefused
            ledger[place].isRefused = true
        case .engineFailure:
            // One more attempt, elsewhere if possible: an engine that fails at the same place again fails for the request's sake.
            guard !ledger[place].hasFailed(within: settings.lossWindow) else { return false }
            ledger[place].avoided = worker
        default:
            guard error.isRetriable else { return false }
            ledger[place].avoided = worker
        }
        turn.revoke(workers[worker].peer, ledger[place].id, ledger[place].accepting)
        loseAttempt(
            place,
            cause: error.message,
            countsAgainstStream: countsAgainstStream,
            isHeldBack: isHeldBack,
            at: now,
            into: &turn
        )
        if error.code == .engineFailure { ledger[place].failures += 1 }
        return true
    }

    /// What the clients of a stream learn that its worker gave up for good.
    private func final(_ error: ApusError, of place: Int) -> ApusError {
        guard error.code == .engineFailure else { return error }
        return ApusError(
            .engineFailure,
            "the engine failed at token \(ledger[place].next), and before in another attempt: \(error.message)"
        )
    }

    /// Whether a stream may end so: with all its tokens, and by its length only where `max_tokens` or the context is reached.
    @inline(__always)
    private func isPossible(_ end: AttemptEnd, of place: Int, on worker: Int) -> Bool {
        guard end.reason.isSuccess else { return true }
        let next = ledger[place].next
        if let index = end.endIndex, index != next { return false }
        return end.reason != .length || next >= ledger[place].request.maximumTokens
            || next + end.promptTokens >= workers[worker].registration.contextTokens
    }

    private mutating func refuse(_ end: AttemptEnd, on worker: Int, into turn: inout Turn) {
        counters.stale += 1
        turn.revoke(workers[worker].peer, end.stream, end.epoch)
    }
}
