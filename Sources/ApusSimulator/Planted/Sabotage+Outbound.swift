import ApusCore
import ApusModel

// MARK: - Turns

extension Sabotage {
    /// In which order a turn is performed.
    var order: [Stage] {
        switch bug {
        case .acceptedBeforeCommit, .assignedBeforeCommit:
            [.hasty, .commit, .tokens, .effects, .acknowledgements, .revocations]
        case .releasedBeforeCommit, .releasedWithoutJournal:
            [.tokens, .commit, .effects, .acknowledgements, .revocations]
        case .acknowledgedBeforeCommit: [.acknowledgements, .commit, .tokens, .effects, .revocations]
        case .endBeforeTokens: [.commit, .effects, .tokens, .acknowledgements, .revocations]
        default: Self.order
        }
    }

    /// Whether an effect is sent before the commit, where the order has a hasty stage.
    func isHasty(_ effect: Effect) -> Bool {
        switch effect {
        case .accept: bug == .acceptedBeforeCommit
        case .assign(_, _, _, _, let next, _): bug == .assignedBeforeCommit && next == 0
        default: false
        }
    }

    /// Changes what a turn decided, after the checkers saw it.
    mutating func alter(_ turn: inout Turn) {
        for case .assign(let peer, let stream, let epoch, _, _, _) in turn.effects {
            holders[stream] = (epoch, peer)
        }
        for case .accepted(let record) in turn.records {
            keys.insert(record.key)
            for stream in record.streams { jobSeeds[StreamID(rawValue: stream)] = record.request.sampling.seed }
        }
        switch bug {
        case .leaseNotJournaled:
            turn.records.removeAll { record in
                if case .leased = record { isDue(every: 5) } else { false }
            }
        case .endNotJournaled:
            turn.records.removeAll { record in
                if case .ended = record { isDue(every: 8) } else { false }
            }
        case .tokensNotJournaled:
            if !turn.tokens.isEmpty, isDue(every: 16) { turn.tokens.removeAll() }
        case .endJournaledTwice:
            for case .ended(let stream, let end, let moment) in turn.records where isDue(every: 8) {
                turn.records.append(.ended(stream, end, at: moment))
            }
        case .lastTokensCut: cutLastTokens(of: &turn)
        case .endForgotten:
            turn.effects.removeAll { effect in
                if case .finish = effect { isDue(every: 8) } else { false }
            }
        case .usageDoubled, .continuityEmbellished: changeEnds(of: &turn)
        case .revocationIgnored: turn.revocations.removeAll()
        case .effectsUnordered: turn.effects = Array(Set(turn.effects))
        default: break
        }
    }

    private func cutLastTokens(of turn: inout Turn) {
        for case .finish(let peer, _, _, _) in turn.effects {
            turn.clients.removeAll { $0.peer == peer }
        }
    }

    private func changeEnds(of turn: inout Turn) {
        for place in turn.records.indices {
            guard case .ended(let stream, let end, let moment) = turn.records[place] else { continue }
            turn.records[place] = .ended(stream, changed(end), at: moment)
        }
        for place in turn.effects.indices {
            guard case .finish(let peer, let stream, let job, let end) = turn.effects[place] else { continue }
            turn.effects[place] = .finish(peer, stream, job, changed(end))
        }
    }

    private func changed(_ end: StreamEnd) -> StreamEnd {
        var end = end
        if bug == .usageDoubled { end.usage.completionTokens *= max(1, end.attempts) }
        if bug == .continuityEmbellished { end.continuity = .exact }
        return end
    }
}

// MARK: - Messages and replay

extension Sabotage {
    /// What is sent instead of a message, each as often as it stands there.
    mutating func sent(_ message: ClientMessage) -> [ClientMessage] {
        switch (bug, message) {
        case (.unknownUnanswered, .rejected(_, let error)):
            return error.code == .notFound ? [] : [message]
        case (.tokensSentTwice, .tokens):
            return isDue(every: 16) ? [message, message] : [message]
        case (.tokenSkipped, .tokens(let shared)):
            guard isDue(every: 16) else { return [message] }
            let columns = shared.value
            let first = TokenPart(columns, row: 0, token: 0, byte: 0)
            let rest = TokenPart.rest(after: first, of: columns)
            return rest.isEmpty ? [] : [.tokens(Shared(rest))]
        case (.textShifted, .tokens(let shared)):
            var columns = shared.value
            guard isDue(every: 16), let last = columns.text.popLast() else { return [message] }
            columns.text.insert(last, at: 0)
            return [.tokens(Shared(columns))]
        case (.endSentTwice, .finished):
            return isDue(every: 8) ? [message, message] : [message]
        case (.endUnlikeJournal, .finished(let stream, let job, var end)):
            guard isDue(every: 8) else { return [message] }
            end.reason = end.reason == .stop ? .length : .stop
            return [.finished(stream, job, end)]
        case (.seedChanged, .accepted(let number, let job, let stream, let seed, let choices)):
            let told = isDue(every: 8) ? seed &+ 1 : seed
            return [.accepted(number: number, job: job, stream: stream, seed: told, choices: choices)]
        default: return [message]
        }
    }

    /// What is sent instead of a message.
    func sent(_ message: WorkerMessage) -> WorkerMessage {
        switch (bug, message) {
        case (.limitRaised, .assign(let stream, let epoch, var request, let history, let limit)):
            request.maximumTokens += history.count
            return .assign(stream, epoch, request, history: history, limit: limit)
        case (.siblingSeedShared, .assign(let stream, let epoch, var request, let history, let limit)):
            request.sampling.seed = jobSeeds[stream]
            return .assign(stream, epoch, request, history: history, limit: limit)
        case (.historyCut, .assign(let stream, let epoch, let request, let history, let limit)):
            return .assign(stream, epoch, request, history: history.dropLast(), limit: limit)
        case (.windowIgnored, .assign(let stream, let epoch, let request, let history, let limit)):
            return .assign(stream, epoch, request, history: history, limit: limit * 4 + 2_048)
        default: return message
        }
    }

    /// What a new coordinator reads instead of the journal.
    func replayed(_ journal: [SimulatedBatch], at now: Timestamp) -> [SimulatedBatch] {
        var journal = journal
        switch bug {
        case .tailTruncated: journal.removeLast(min(2, journal.count))
        case .tokensNotReplayed:
            for place in journal.indices where place % 8 == 7 { journal[place].tokens.removeAll() }
        case .deadlineRestarted:
            for place in journal.indices {
                for record in journal[place].records.indices {
                    guard case .accepted(var accepted) = journal[place].records[record] else { continue }
                    accepted.acceptedAt = now
                    journal[place].records[record] = .accepted(accepted)
                }
            }
        case .tokensTrusted:
            guard snapshot.count == journal.count else { break }
            journal = snapshot
            for place in journal.indices {
                for record in journal[place].records.indices {
                    guard case .accepted(var accepted) = journal[place].records[record] else { continue }
                    accepted.request.durability = .released
                    journal[place].records[record] = .accepted(accepted)
                }
            }
        case .epochReused:
            var left = 3
            for place in journal.indices.reversed() where left > 0 {
                let count = journal[place].records.count
                journal[place].records.removeAll { record in
                    if case .leased = record { true } else { false }
                }
                left -= count - journal[place].records.count
            }
        default: break
        }
        return journal
    }
}
