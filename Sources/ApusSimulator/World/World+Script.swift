/// Directed actions.
extension World {
    mutating func runScripted(_ place: Int) {
        perform(script[place].action)
    }

    /// A client received tokens of a job.
    mutating func runScripted(received indexes: Range<Int>, of job: Int) {
        for place in script.indices {
            guard case .received(job, let index) = script[place].trigger, indexes.contains(index) else { continue }
            script[place].trigger = .at(now)
            events.insert(.scripted, at: now, place: place)
        }
    }

    /// The coordinator takes a job's submit.
    mutating func runScripted(told job: Int) {
        for place in script.indices where script[place].trigger == .told(job: job) {
            script[place].trigger = .at(now)
            events.insert(.scripted, at: now, place: place)
        }
    }

    private mutating func perform(_ action: ScriptedAction.Action) {
        switch action {
        case .killWorker(let job):
            guard let worker = worker(ofJob: job) else { return }
            injected(.workerKilled, "\(workers[worker].spec.name)")
            workerDies(worker, restartsAfter: 500_000_000)
        case .freezeWorker(let job, let time):
            if let worker = worker(ofJob: job) { freeze(worker, for: time) }
        case .hangWorker(let job, let time):
            if let worker = worker(ofJob: job) { hang(worker, for: time) }
        case .cutClient(let client):
            guard let connection = clients[client].connection else { return }
            injected(.connectionLost, "c\(client)")
            cutClient(connection)
        case .cancel(let job):
            injected(.clientCancelled, "job \(job)")
            cancel(job)
        case .stallClient(let client, let time): stall(client, for: time)
        case .killClient(let client):
            injected(.clientKilled, "c\(client)")
            clientDies(client, restartsAfter: 100_000_000)
        case .killCoordinator:
            guard coordinator.isRunning else { return }
            injected(.coordinatorKilled, "between two turns")
            coordinatorDies()
        case .failDisk(let time):
            injected(.syncFailed, "for \(time / 1_000_000) ms")
            disk.refusal = (.syncFails, now + time)
            disk.unreadableUntil = now + time
        case .killHalf(let time): killHalf(restartsAfter: time)
        }
    }

    /// A storm: exactly half of the workers die at once.
    private mutating func killHalf(restartsAfter time: Int64) {
        var places = Array(workers.indices)
        for place in 0..<places.count / 2 {
            places.swapAt(place, place + faultRandom.below(places.count - place))
        }
        let dying = places.prefix(places.count / 2)
        probe?.stormBegins(killing: dying.map { workers[$0].spec.name }, for: time, at: now, on: coordinator.machine)
        for worker in dying {
            injected(.workerKilled, "\(workers[worker].spec.name)")
            workerDies(worker, restartsAfter: time)
        }
    }

    /// The worker that runs an attempt of a job.
    private func worker(ofJob job: Int) -> Int? {
        workers.indices.first { worker in
            workers[worker].isRunning && workers[worker].attempts.contains { $0.job == job && !$0.hasEnded }
        }
    }
}
