public import ApusModel

extension CoordinatorMachine {
    /// Time passed: looks for workers that are silent or hang, for jobs past their deadline and for what may be forgotten.
    public mutating func ticked(at now: Timestamp, into turn: inout Turn) {
        nextTick = now + settings.tickInterval
        for place in watches.indices where watches[place].isWatched { judge(place, at: now, into: &turn) }
        releaseQuarantined(at: now)
        endRecovery(at: now)
        releaseDelayed(at: now)
        parkPaused(at: now, into: &turn)
        hedgeSlow(at: now, into: &turn)
        while let stream = deadlines.popReached(by: now) { expire(stream, at: now, into: &turn) }
        if deadlines.count > 2 * (counters.queued + counters.active + counters.parked) + 1_024 {
            deadlines.compact { stream in ledger.place(of: stream).map { !ledger[$0].hasEnded } ?? false }
        }
        forgetWorkers(at: now, into: &turn)
        if !unread.isEmpty {
            unsettled += unread
            unread.removeAll()
        }
        retireEnded(at: now, into: &turn)
    }

    private mutating func judge(_ place: Int, at now: Timestamp, into turn: inout Turn) {
        let watch = watches[place]
        if now - watch.lastBeat > settings.beatTimeout {
            lose(place, .silent, at: now, into: &turn)
        } else if now - watch.progressAt > settings.hangGrace + watch.stepTime {
            lose(place, .hung, at: now, into: &turn)
        }
    }

    mutating func expire(_ stream: StreamID, at now: Timestamp, into turn: inout Turn) {
        guard let place = ledger.place(of: stream), !ledger[place].hasEnded else { return }
        let waited = "\((ledger[place].deadline - ledger[place].acceptedAt).inSeconds) s"
        let message: String
        if ledger[place].dispatchedAt == nil {
            let served = ledger[place].model.map { " for \(models[$0].name)" } ?? ""
            message = "no worker\(served) had a slot within the job's deadline of \(waited)"
        } else if ledger[place].phase.isWaiting {
            message = "its worker was lost and no other had a slot within the job's deadline of \(waited)"
        } else {
            message = "the job did not end within its deadline of \(waited)"
        }
        end(place, .expired, error: ApusError(.deadlineExceeded, message), at: now, into: &turn)
    }

    /// Jobs that are looked at in a tick because their time in memory is over, where the journal keeps them.
    private static let retiredPerTick = 1_024

    /// Takes jobs out of memory whose time there is over: forgotten, or only dropped where the journal finds them again.
    private mutating func retireEnded(at now: Timestamp, into turn: inout Turn) {
        while let first = retainedVolatile.popExcess(at: now, keeping: settings.volatileRetention, settings) {
            forget(first, into: &turn)
        }
        guard settings.recallsEnded else {
            while let first = retained.popExcess(at: now, keeping: settings.retention, settings) {
                forget(first, into: &turn)
            }
            return
        }
        for _ in 0..<Self.retiredPerTick {
            guard let first = retained.popExcess(at: now, keeping: settings.retention, settings) else { return }
            guard let place = ledger.place(of: first) else { continue }
            let places = siblings(of: place)
            if places.allSatisfy({ ledger[$0].consumers.isEmpty }) {
                for place in places { drop(place) }
            } else {
                // One that is still read stays for another while.
                let tokens = places.reduce(0) { $0 + ledger[$1].next }
                retained.append(first, streams: places.count, endedAt: now, tokens: tokens)
            }
        }
    }

    /// Forgets a job, by the number of its first stream.
    mutating func forget(_ first: StreamID, into turn: inout Turn) {
        guard let firstPlace = ledger.place(of: first) else { return }
        let error = ApusError(.notFound, "the job ended and is kept no longer; its remaining tokens are gone")
        for place in siblings(of: firstPlace) {
            let stream = ledger[place].id
            for consumer in ledger[place].consumers {
                clients[consumer.client].following.remove(stream)
                guard var end = ledger[place].end else { continue }
                end.reason = .failed
                end.error = error
                turn.effects.append(.finish(clients[consumer.client].peer, stream, ledger[place].job, end))
            }
            drop(place)
            turn.records.append(.forgotten(stream))
        }
    }

    /// Takes an ended stream out of the ledger, and its job's names with the first of its streams.
    mutating func drop(_ place: Int) {
        let stream = ledger[place].id
        if ledger[place].choice == 0 {
            jobs[ledger[place].job] = nil
            if keys[ledger[place].key] == stream { keys[ledger[place].key] = nil }
        }
        if let model = ledger[place].model { models[model].streams -= 1 }
        ledger.remove(at: place)
    }
}
