import ApusModel

extension CoordinatorMachine {
    /// Tells placement how a worker stands; after every change of what decides it.
    ///
    /// A slot that is free again and a worker that falls out both change who may go where.
    mutating func refreshStanding(of place: Int) {
        needsDispatch = true
        guard workers[place].isConnected else { return }
        let isServing = workers[place].state == .ready && !workers[place].isDraining
        models[workers[place].model].pool.set(
            place,
            contextTokens: workers[place].registration.contextTokens,
            fingerprint: workers[place].registration.fingerprint,
            standing: isServing
                ? .connected(
                    isTrusted: !workers[place].isQuarantined && !workers[place].isSlow,
                    hasVacancy: costs[place].leases < costs[place].slots && !workers[place].isRefusing
                ) : .unavailable
        )
    }

    /// Looks at a worker's quarantine, then tells placement how it stands.
    mutating func refreshStanding(of place: Int, at now: Timestamp) {
        let isQuarantined = workers[place].probation.isQuarantined(at: now)
        if isQuarantined, !workers[place].isQuarantined { quarantined.append(place) }
        workers[place].isQuarantined = isQuarantined
        refreshStanding(of: place)
    }

    /// A worker is not connected any more.
    mutating func leavePool(_ place: Int) {
        needsDispatch = true
        models[workers[place].model].pool.set(
            place,
            contextTokens: 0,
            fingerprint: workers[place].registration.fingerprint,
            standing: .absent
        )
        models[workers[place].model].prefixes.removeAll(for: place)
    }

    /// Lets workers out of quarantine whose time is over.
    mutating func releaseQuarantined(at now: Timestamp) {
        guard !quarantined.isEmpty else { return }
        let places = quarantined
        quarantined.removeAll(keepingCapacity: true)
        for place in places where workers[place].isQuarantined {
            guard !workers[place].probation.isQuarantined(at: now) else {
                quarantined.append(place)
                continue
            }
            workers[place].isQuarantined = false
            refreshStanding(of: place)
            needsDispatch = true
        }
    }

    /// The place of a model in the table; `nil` for a new one where the table is full.
    mutating func modelPlace(of name: ModelName) -> Int? {
        if let place = modelPlaces[name] { return place }
        if models.count < Limits.workers {
            models.append(ModelEntry(name: name, policy: settings.placement))
            modelPlaces[name] = models.count - 1
            return models.count - 1
        }
        guard let place = models.firstIndex(where: \.isVacant) else { return nil }
        modelPlaces[models[place].name] = nil
        models[place] = ModelEntry(name: name, policy: settings.placement)
        modelPlaces[name] = place
        return place
    }

    /// The models of all workers that are known, in the order of their names.
    var knownModels: [ModelName] { names { models[$0].workers > 0 } }

    /// The models with connected workers, by name.
    var servedModels: [ModelName] { names { models[$0].pool.connected > 0 } }

    private func names(where holds: (Int) -> Bool) -> [ModelName] {
        // By place: an entry is large, and copying it copies its line and its pool.
        var names: [ModelName] = []
        for place in models.indices where holds(place) { names.append(models[place].name) }
        if names.count > 1 { names.sort() }
        return names
    }

    /// Binds a stream to a model for good.
    mutating func bind(_ place: Int, to model: Int) {
        ledger[place].model = model
        models[model].streams += 1
    }

    /// Queues the streams that waited for this model to come, or for any; when its first worker is known, and only then, because
    /// no stream of a model with a known worker waits here.
    mutating func bindUnbound(to model: Int) {
        guard !unbound.isEmpty else { return }
        let waiting = unbound
        unbound.removeAll()
        for stream in waiting {
            guard let place = ledger.place(of: stream), ledger[place].phase == .unbound else { continue }
            if let wanted = ledger[place].request.model, wanted != models[model].name {
                unbound.append(stream)
                continue
            }
            bind(place, to: model)
            counters.queued -= 1
            enqueue(place)
        }
    }
}
