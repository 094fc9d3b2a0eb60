import ApusCore
import ApusModel

/// Clients that follow other clients' jobs: by the job's name, or by its key, from any index.
///
/// They come and go as they like: a job is done when its own client knows its end.
extension World {
    mutating func injectFollower() {
        let client = faultRandom.below(clients.count)
        let job = faultRandom.below(jobs.count)
        // A job that was never accepted would become the follower's own.
        let spec = jobs[job].spec
        guard clients[client].connection != nil, configuration.jobs[spec].client != client, jobs[job].job != nil,
            !followers.contains(where: { $0.client == client && siblings(of: job).contains($0.job) })
        else { return }
        followerRequests += 1
        let number = SimulatedFollower.number(followerRequests)
        let window = clients[client].spec.window
        let key = configuration.jobs[spec].key
        switch faultRandom.below(4) {
        case 0 where isKeptForGood(job):
            injected(.clientFollowed, "c\(client) submits another request under the key of job \(job)")
            var request = configuration.jobs[spec].request
            request.prompt += "?"
            send(.submit(number: number, key: key, request, credit: window), from: client)
        case 1:
            injected(.clientFollowed, "c\(client) submits job \(job) as well")
            for job in siblings(of: job) {
                var follower = SimulatedFollower(client: client, job: job, number: number, next: 0, granted: window)
                follower.isSubmit = true
                followers.append(follower)
            }
            send(.submit(number: number, key: key, configuration.jobs[spec].request, credit: window), from: client)
        default:
            injected(.clientFollowed, "c\(client) attaches to job \(job)")
            let next = faultRandom.below(jobs[job].next + 1)
            followers.append(SimulatedFollower(client: client, job: job, number: number, next: next, granted: next))
            attach(follower: followers.count - 1, by: faultRandom.percent(50) ? jobs[job].job : nil)
        }
    }

    /// An operator wants a job tried again, which may have failed or not, and follows what becomes of it.
    mutating func injectRetry() {
        let client = faultRandom.below(clients.count)
        let failed = jobs.indices.filter { job in
            let end = jobs[job].stream.flatMap { disk.end(of: $0) }
            return end?.reason == .failed || end?.reason == .expired
        }
        let job = failed.isEmpty || faultRandom.percent(20) ? faultRandom.below(jobs.count) : faultRandom.pick(failed)
        guard clients[client].connection != nil, let name = jobs[job].job else { return }
        injected(.clientRetried, "job \(job), by c\(client)")
        followerRequests += 1
        let number = SimulatedFollower.number(followerRequests)
        retries.append((number, client, job))
        send(.retry(number: number, name), from: client)
    }

    /// A job is tried again: the client that wanted it follows the new one from its beginning.
    private mutating func retried(_ number: UInt64, _ name: JobID) {
        guard let place = retries.firstIndex(where: { $0.number == number }) else { return }
        let (_, client, job) = retries.remove(at: place)
        // One that follows the job anyway finds the new one by its key.
        guard configuration.jobs[jobs[job].spec].client != client,
            !followers.contains(where: { $0.client == client && siblings(of: job).contains($0.job) })
        else { return }
        followers.append(SimulatedFollower(client: client, job: job, number: number, next: 0, granted: 0))
        followers[followers.count - 1].name = name
        attach(follower: followers.count - 1, by: name)
    }

    /// A client is connected again, and follows what it followed.
    mutating func followersConnect(_ client: Int) {
        for follower in followers.indices where followers[follower].client == client {
            attach(follower: follower, by: followers[follower].name ?? jobs[followers[follower].job].job)
        }
    }

    private mutating func attach(follower: Int, by name: JobID?) {
        let client = followers[follower].client
        followerRequests += 1
        followers[follower].number = SimulatedFollower.number(followerRequests)
        followers[follower].stream = nil
        followers[follower].isSubmit = false
        followers[follower].granted = followers[follower].next + clients[client].spec.window
        send(
            .attach(
                number: followers[follower].number,
                job: name,
                key: name == nil ? configuration.jobs[jobs[followers[follower].job].spec].key : "",
                choice: jobs[followers[follower].job].choice,
                from: followers[follower].next,
                credit: followers[follower].granted
            ),
            from: client
        )
    }

    // MARK: - Answers

    /// Whether a message answers a follower, or ends a stream that one follows; it is then dealt with.
    mutating func takenByFollower(_ message: ClientMessage, on client: Int) -> Bool {
        switch message {
        case .accepted(let number, _, let stream, _, _) where SimulatedFollower.isNumber(number):
            for follower in followers.indices where followers[follower].number == number {
                let offset = followers[follower].isSubmit ? jobs[followers[follower].job].choice : 0
                followers[follower].stream = StreamID(rawValue: stream.rawValue + UInt64(offset))
            }
            return true
        case .rejected(let number, _) where SimulatedFollower.isNumber(number):
            followers.removeAll { $0.number == number }
            return true
        case .retried(let number, let job):
            retried(number, job)
            return true
        case .refused(let number, _) where SimulatedFollower.isNumber(number):
            retries.removeAll { $0.number == number }
            return true
        case .finished(let stream, _, _):
            guard let follower = follower(of: stream, on: client) else { return false }
            followers.remove(at: follower)
            return true
        default: return false
        }
    }

    /// The place of the follower by which a client follows a stream of another one.
    func follower(of stream: StreamID, on client: Int) -> Int? {
        guard !followers.isEmpty else { return nil }
        return followers.firstIndex { $0.client == client && $0.stream == stream }
    }

    /// A follower gets tokens; the checkers look at their order.
    mutating func take(_ range: Range<Int>, by follower: Int, _ streams: inout [UInt64], _ limits: inout [UInt64]) {
        followers[follower].next = max(followers[follower].next, range.upperBound)
        grant(follower: follower, &streams, &limits)
    }

    /// Raises a follower's limit once half of the window is used.
    mutating func grant(follower: Int, _ streams: inout [UInt64], _ limits: inout [UInt64]) {
        let client = followers[follower].client
        let window = clients[client].spec.window
        guard let stream = followers[follower].stream, now >= clients[client].stalledUntil,
            followers[follower].granted - followers[follower].next <= window / 2
        else { return }
        followers[follower].granted = followers[follower].next + window
        streams.append(stream.rawValue)
        limits.append(UInt64(followers[follower].granted))
    }
}
