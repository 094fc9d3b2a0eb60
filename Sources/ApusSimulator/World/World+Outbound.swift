import ApusCore
import ApusModel

/// What a turn makes durable, and then visible.
extension World {
    /// Commits what the turn decided, then sends what may be seen.
    ///
    /// - Parameter again: Whether the disk refused the turn before.
    mutating func performTurn(again: Bool = false) {
        if !again { checkers.turnDecided(coordinator.turn, by: coordinator.machine, at: moment) }
        guard !coordinator.turn.isEmpty else {
            if again { outageEnds() }
            return
        }
        // What is sent may tell of lost peers; that belongs to the next turn, so this one is taken out first.
        var done = Turn()
        swap(&coordinator.turn, &done)
        if planted != nil {
            if !again { planted?.alter(&done) }
            guard performSabotaged(&done) else { return held(&done) }
        } else {
            guard commit(&done) else { return held(&done) }
            sendTokens(of: &done)
            sendEffects(of: done)
            sendAcknowledgements(of: done)
            sendRevocations(of: done)
        }
        if again { outageEnds() }
        guard !coordinator.isDying else { return coordinatorDies() }
        if coordinator.turn.isEmpty {
            done.reset()
            swap(&coordinator.turn, &done)
        }
    }

    /// A turn that was not committed goes on waiting, if the process lives.
    private mutating func held(_ turn: inout Turn) {
        if coordinator.isRunning { swap(&coordinator.turn, &turn) }
    }

    private mutating func outageEnds() {
        guard !coordinator.keeper.isWell else { return }
        coordinator.keeper.committed()
        checkers.outageEnded(at: moment)
        trace?.note(now, "coordinator    can write its journal again")
    }

    /// Does the steps of a turn in the order that a planted bug wants.
    ///
    /// - Returns: Whether the turn is done.
    private mutating func performSabotaged(_ turn: inout Turn) -> Bool {
        for stage in planted?.order ?? Sabotage.order {
            switch stage {
            case .hasty:
                for effect in turn.effects where planted?.isHasty(effect) ?? false { perform(effect) }
                turn.effects.removeAll { planted?.isHasty($0) ?? false }
            case .commit:
                guard commit(&turn) else { return false }
            case .tokens: sendTokens(of: &turn)
            case .effects: sendEffects(of: turn)
            case .acknowledgements: sendAcknowledgements(of: turn)
            case .revocations: sendRevocations(of: turn)
            }
        }
        return true
    }

    private mutating func sendTokens(of turn: inout Turn) {
        for client in turn.clients {
            var columns = TokenColumns()
            swap(&columns, &turn.outgoing[client.place])
            send(.tokens(Shared(consume columns)), to: client.peer)
        }
    }

    private mutating func sendEffects(of turn: borrowing Turn) {
        for effect in turn.effects { perform(effect) }
        flushReplay()
        if !coordinator.unread.isEmpty { coordinator.unread.removeAll(keepingCapacity: true) }
    }

    private mutating func sendAcknowledgements(of turn: borrowing Turn) {
        for columns in turn.acknowledgements {
            send(
                .acknowledge(streams: columns.streams, through: columns.first, limits: columns.second),
                to: columns.peer
            )
        }
    }

    private mutating func sendRevocations(of turn: borrowing Turn) {
        for columns in turn.revocations {
            send(
                .revoke(streams: columns.streams, epochs: columns.first.map { UInt32(truncatingIfNeeded: $0) }),
                to: columns.peer
            )
        }
    }

    /// Makes a turn's batch durable.
    ///
    /// - Returns: Whether it is, so that the turn may be seen; `false` where the process died or the disk refuses the batch.
    private mutating func commit(_ turn: inout Turn) -> Bool {
        guard !turn.tokens.isEmpty || !turn.records.isEmpty else { return true }
        let doom = coordinator.doom
        switch doom {
        case .beforeAppend:
            injected(.coordinatorKilled, "before its batch reaches the disk")
            coordinatorDies()
            return false
        default: break
        }
        guard !disk.refuses(at: now) else {
            hold(&turn)
            return false
        }
        // The disk takes the arrays over; what stayed in the turn would be copied when the turn is reused.
        var batch = SimulatedBatch(tokens: [], records: [])
        swap(&batch.tokens, &turn.tokens)
        swap(&batch.records, &turn.records)
        disk.append(batch)
        switch doom {
        case .afterAppend(let tail):
            injected(.coordinatorKilled, "after writing a batch and before it is synced")
            switch tail {
            case .lost: injected(.tailLost, "the batch is gone")
            case .torn: injected(.tailTorn, "the batch fails its checksum and is dropped")
            case .kept: checkers.committed(tokens: batch.tokens, records: batch.records, at: moment)
            }
            coordinatorDies(tail)
            return false
        default: break
        }
        disk.sync()
        outageEnds()
        noteCommit(batch.tokens, batch.records)
        probe?.committed(batch.records, at: now)
        checkers.committed(tokens: batch.tokens, records: batch.records, at: moment)
        guard doom == .afterSync else { return true }
        injected(.coordinatorKilled, "with a durable batch that nobody has heard of")
        coordinatorDies()
        return false
    }

    private mutating func noteCommit(_ tokens: [TokenColumns], _ records: [JournalRecord]) {
        // By place: a loop over the elements would copy each, which is seven counted references.
        for place in tokens.indices {
            digest.add(tokens[place])
            trace?.note(now, "journal        tokens \(described(tokens[place]))")
        }
        for record in records {
            digest.add(record)
            trace?.note(now, "journal        \(described(record))")
        }
    }

    mutating func perform(_ effect: Effect) {
        if case .replay(let peer, let stream, let from, let count) = effect {
            return appendReplay(stream, from..<from + count, for: peer)
        }
        flushReplay()
        switch effect {
        case .replay, .status, .jobs, .configure, .forgetWorker, .deadLetters: break
        case .retried(let peer, let request, let job): send(.retried(number: request, job), to: peer)
        case .welcome(let peer): send(.welcome, to: peer)
        case .accept(let peer, let request, let job, let stream, let seed, let choices):
            send(.accepted(number: request, job: job, stream: stream, seed: seed, choices: choices), to: peer)
        case .reject(let peer, let request, let error): send(.rejected(number: request, error), to: peer)
        case .finish(let peer, let stream, let job, let end):
            if !isUnread(stream, for: peer) { send(.finished(stream, job, end), to: peer) }
        case .done(let peer, let request): send(.done(number: request), to: peer)
        case .refuse(let peer, let request, let error): send(.refused(number: request, error), to: peer)
        case .enlist(let peer, let keep): send(.enlisted(keep: keep), to: peer)
        case .refuseWorker(let peer, let error): send(.refused(error), to: peer)
        case .assign(let peer, let stream, let epoch, let request, let next, let limit):
            guard isReadable || next == 0 else {
                trace?.note(now, "coordinator    can't read the tokens of stream \(stream) for its worker")
                coordinator.machine.assignmentFailed(
                    on: peer,
                    stream,
                    epoch,
                    at: machineMoment,
                    into: &coordinator.turn
                )
                return
            }
            guard let history = disk.history(of: stream, count: next) else {
                return unreadable(stream, 0..<next)
            }
            send(.assign(stream, epoch, request, history: history, limit: limit), to: peer)
        case .drain(let peer): send(.drain, to: peer)
        case .report(let name, let event): trace?.note(now, "coordinator    \(name): \(event)")
        }
    }

    private mutating func appendReplay(_ stream: StreamID, _ range: Range<Int>, for peer: ClientPeer) {
        guard !isUnread(stream, for: peer) else { return }
        guard isReadable else {
            trace?.note(now, "coordinator    can't read tokens \(range) of stream \(stream) for its client")
            coordinator.machine.replayFailed(to: peer, stream, range)
            if planted?.bug != .endAfterFailedRead { coordinator.unread.append((peer, stream)) }
            return
        }
        if coordinator.replayConnection != Int(peer.rawValue) { flushReplay() }
        coordinator.replayConnection = Int(peer.rawValue)
        if !disk.read(stream, range, into: &coordinator.replay) { unreadable(stream, range) }
    }

    /// Whether tokens of a stream could not be read for a client in this turn: what comes after them has to wait, too.
    @inline(__always)
    private func isUnread(_ stream: StreamID, for peer: ClientPeer) -> Bool {
        !coordinator.unread.isEmpty && coordinator.unread.contains { $0.peer == peer && $0.stream == stream }
    }

    private mutating func flushReplay() {
        guard let connection = coordinator.replayConnection else { return }
        var columns = TokenColumns()
        swap(&columns, &coordinator.replay)
        coordinator.replayConnection = nil
        if !columns.isEmpty { send(.tokens(Shared(consume columns)), to: ClientPeer(rawValue: UInt64(connection))) }
    }

    /// The machine asks for tokens that the journal does not hold: production stops here.
    private mutating func unreadable(_ stream: StreamID, _ range: Range<Int>) {
        ownViolation("the journal does not hold tokens \(range) of stream \(stream)")
    }

    // MARK: - Sending

    /// Whether the process still lives, as far as its doom says; counts the messages that it sends.
    private mutating func survivesSending() -> Bool {
        guard !coordinator.isDying else { return false }
        guard case .afterSends(let left) = coordinator.doom else { return true }
        if left > 0 {
            coordinator.doom = .afterSends(left - 1)
            return true
        }
        injected(.coordinatorKilled, "in the middle of sending")
        coordinator.isDying = true
        return false
    }

    private mutating func send(_ message: ClientMessage, to peer: ClientPeer) {
        guard planted == nil else {
            for message in planted?.sent(message) ?? [] { deliver(message, to: peer) }
            return
        }
        deliver(message, to: peer)
    }

    private mutating func deliver(_ message: ClientMessage, to peer: ClientPeer) {
        guard survivesSending() else { return }
        let connection = Int(peer.rawValue)
        guard !clientConnections[connection].isNoticed else {
            checkers.lossTold(of: peer, at: moment)
            coordinator.machine.clientLost(peer, into: &coordinator.turn)
            return
        }
        digest.add(message, to: connection)
        trace?.note(now, "coordinator -> \(clientName(of: connection)): \(described(message))")
        checkers.sent(message, to: peer, at: moment)
        guard !clientConnections[connection].isCut else { return }
        let due = now + networkRandom.within(configuration.networkDelay)
        if clientConnections[connection].down.send(message, due: due) {
            events.insert(.coordinatorToClient, at: due, place: connection)
        }
    }

    private mutating func send(_ message: WorkerMessage, to peer: WorkerPeer) {
        let message = planted?.sent(message) ?? message
        guard survivesSending() else { return }
        let connection = Int(peer.rawValue)
        guard !workerConnections[connection].isNoticed else {
            coordinator.machine.workerUnreachable(peer, at: machineMoment, into: &coordinator.turn)
            return
        }
        digest.add(message, to: connection)
        trace?.note(now, "coordinator -> \(workerName(of: connection)): \(described(message))")
        checkers.sent(message, to: peer, at: moment)
        guard !workerConnections[connection].isCut else { return }
        let due = now + networkRandom.within(configuration.networkDelay)
        if workerConnections[connection].down.send(message, due: due) {
            events.insert(.coordinatorToWorker, at: due, place: connection)
        }
    }
}
