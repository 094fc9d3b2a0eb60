import ApusCore
import ApusModel

/// The clients' side of the protocol.
extension World {
    /// How long a rejected client waits at most, whatever it is told: the time for everything to end goes on meanwhile.
    private static let patience: Int64 = 2_000_000_000

    mutating func clientStarts(_ client: Int) {
        guard !clients[client].isRunning else { return }
        clients[client].isRunning = true
        clients[client].life += 1
        clients[client].stalledUntil = 0
        trace?.note(now, "c\(client)             its process begins")
        events.insert(.clientConnects, at: now, place: client, detail: clients[client].life)
    }

    mutating func clientConnects(_ client: Int, life: Int) {
        guard clients[client].isRunning, clients[client].life == life, clients[client].connection == nil else { return }
        guard canConnect(worker: false, client) else { return planConnect(client) }
        connectClient(client)
        send(.hello(name: clients[client].spec.name), from: client)
        for job in jobs.indices where configuration.jobs[jobs[job].spec].client == client {
            switch jobs[job].phase {
            case .submitting: if asksFirst(job) { submit(job) }
            case .attaching, .following: attach(job, at: jobs[job].next)
            case .waiting:
                // A process that began anew submits all it ever submitted: it remembers keys and nothing else.
                if jobs[job].isBegun, asksFirst(job) { submit(job) }
            case .detached, .done: break
            }
        }
        followersConnect(client)
    }

    /// The places of all streams of a stream's job.
    @inline(__always)
    func siblings(of job: Int) -> Range<Int> {
        let first = job - jobs[job].choice
        return first..<first + configuration.jobs[jobs[job].spec].request.choices
    }

    /// Whether a stream is the first of its job that waits for an acceptance: one submit asks for all of them.
    @inline(__always)
    private func asksFirst(_ job: Int) -> Bool {
        !(siblings(of: job).lowerBound..<job).contains { jobs[$0].phase == .waiting || jobs[$0].phase == .submitting }
    }

    private mutating func planConnect(_ client: Int) {
        let due = now + clientRandom.within(5_000_000...80_000_000)
        events.insert(.clientConnects, at: due, place: client, detail: clients[client].life)
    }

    mutating func clientNotices(_ connection: Int) {
        let client = clientConnections[connection].owner
        guard clients[client].isRunning, clients[client].connection == connection else { return }
        clients[client].connection = nil
        trace?.note(now, "c\(client)             lost the coordinator")
        planConnect(client)
    }

    /// The process dies; a later one knows its keys.
    mutating func clientDies(_ client: Int, restartsAfter time: Int64) {
        guard clients[client].isRunning else { return }
        if let connection = clients[client].connection { cutClient(connection, peerNotices: false) }
        clients[client].isRunning = false
        clients[client].connection = nil
        for job in jobs.indices where configuration.jobs[jobs[job].spec].client == client && jobs[job].phase != .done {
            jobs[job].phase = .waiting
            jobs[job].next = 0
            jobs[job].granted = 0
            jobs[job].stream = nil
            jobs[job].cancel = nil
        }
        followers.removeAll { $0.client == client }
        events.insert(.clientStarts, at: now + time, place: client)
    }

    // MARK: - Requests

    /// It is time to submit a job, or to follow it again.
    mutating func submitDue(_ job: Int) {
        let client = configuration.jobs[jobs[job].spec].client
        for sibling in siblings(of: job) { jobs[sibling].isBegun = true }
        switch jobs[job].phase {
        case .waiting:
            guard clients[client].isRunning else { return }
            submit(job)
        case .detached: attach(job, at: jobs[job].next)
        case .submitting, .attaching, .following, .done: break
        }
    }

    /// Submits a stream's job, for all of its streams; without a connection it is submitted as soon as there is one.
    mutating func submit(_ job: Int) {
        let client = configuration.jobs[jobs[job].spec].client
        let window = clients[client].spec.window
        let number = jobs[job].nextNumber(of: job)
        for sibling in siblings(of: job) where jobs[sibling].phase != .done {
            jobs[sibling].phase = .submitting
            jobs[sibling].number = number
            jobs[sibling].next = 0
            jobs[sibling].granted = window
        }
        send(
            .submit(
                number: number,
                key: configuration.jobs[jobs[job].spec].key,
                configuration.jobs[jobs[job].spec].request,
                credit: window
            ),
            from: client
        )
    }

    /// Follows a stream from an index on.
    mutating func attach(_ job: Int, at index: Int) {
        let client = configuration.jobs[jobs[job].spec].client
        jobs[job].phase = .attaching
        jobs[job].number = jobs[job].nextNumber(of: job)
        jobs[job].next = index
        jobs[job].granted = index + clients[client].spec.window
        send(
            .attach(
                number: jobs[job].number,
                job: jobs[job].job,
                key: jobs[job].job == nil ? configuration.jobs[jobs[job].spec].key : "",
                choice: jobs[job].choice,
                from: index,
                credit: jobs[job].granted
            ),
            from: client
        )
    }

    /// Asks for a stream's job to be cancelled, if it is known by name.
    mutating func cancel(_ job: Int) {
        guard let name = jobs[job].job else { return }
        let number = jobs[job].nextNumber(of: job)
        jobs[job].cancel = number
        send(.cancel(number: number, name), from: configuration.jobs[jobs[job].spec].client)
    }

    mutating func clientResumes(_ client: Int) {
        guard clients[client].isRunning, now >= clients[client].stalledUntil else { return }
        trace?.note(now, "c\(client)             grants credit again")
        var streams: [UInt64] = []
        var limits: [UInt64] = []
        for job in jobs.indices where configuration.jobs[jobs[job].spec].client == client {
            grant(job, &streams, &limits)
        }
        for follower in followers.indices where followers[follower].client == client {
            grant(follower: follower, &streams, &limits)
        }
        if !streams.isEmpty { send(.credit(streams: streams, limits: limits), from: client) }
    }

    /// Raises a stream's limit once half of the window is used.
    private mutating func grant(_ job: Int, _ streams: inout [UInt64], _ limits: inout [UInt64]) {
        let client = configuration.jobs[jobs[job].spec].client
        let window = clients[client].spec.window
        guard jobs[job].phase == .following, let stream = jobs[job].stream,
            jobs[job].granted - jobs[job].next <= window / 2, now >= clients[client].stalledUntil
        else { return }
        jobs[job].granted = jobs[job].next + window
        streams.append(stream.rawValue)
        limits.append(UInt64(jobs[job].granted))
    }

    // MARK: - Answers

    mutating func messagesReachClient(_ connection: Int) {
        let client = clientConnections[connection].owner
        guard clients[client].isRunning, clients[client].connection == connection else { return }
        while let message = clientConnections[connection].down.receive(at: now) {
            checkers.clientReceived(message, by: ClientLife(client: client, life: clients[client].life), at: moment)
            take(message, on: client)
            guard clients[client].connection == connection else { return }
        }
    }

    private mutating func take(_ message: ClientMessage, on client: Int) {
        guard !takenByFollower(message, on: client) else { return }
        switch message {
        case .welcome, .retried: break
        case .accepted(let number, let name, let stream, _, _):
            let asked = SimulatedJob.place(of: number)
            guard jobs[asked].number == number else { return }
            let isSubmit = jobs[asked].phase == .submitting
            for job in isSubmit ? siblings(of: asked) : asked..<asked + 1 where jobs[job].number == number {
                let offset = isSubmit ? jobs[job].choice : 0
                jobs[job].phase = .following
                jobs[job].stream = StreamID(rawValue: stream.rawValue + UInt64(offset))
                jobs[job].job = name
                note(job, of: StreamID(rawValue: stream.rawValue + UInt64(offset)))
            }
            // Of a job that died with its coordinator some streams may have ended before: nobody waits for these.
            let needless = isSubmit ? siblings(of: asked).filter { jobs[$0].phase == .done } : []
            if !needless.isEmpty {
                send(.detach(streams: needless.map { stream.rawValue + UInt64(jobs[$0].choice) }), from: client)
            }
        case .rejected(let number, let error): rejected(number, error)
        case .tokens(let columns): take(columns.value, on: client)
        case .finished(let stream, _, _):
            guard let job = job(of: stream, on: client) else { return }
            jobIsDone(job)
        case .done(let number):
            let job = SimulatedJob.place(of: number)
            guard job >= 0, jobs[job].cancel == number else { return }
            jobs[job].cancel = nil
        case .refused(let number, let error):
            guard number == 0 else { return }
            // The connection was given up: as after a loss, all is asked for again.
            if error.code == .notFound, let connection = clients[client].connection { cutClient(connection) }
        }
    }

    private mutating func take(_ columns: TokenColumns, on client: Int) {
        var streams: [UInt64] = []
        var limits: [UInt64] = []
        for row in 0..<columns.rows {
            let first = Int(columns.firstIndexes[row])
            let end = first + Int(columns.counts[row])
            guard let job = job(of: StreamID(rawValue: columns.streams[row]), on: client) else {
                if let follower = follower(of: StreamID(rawValue: columns.streams[row]), on: client) {
                    take(first..<end, by: follower, &streams, &limits)
                }
                continue
            }
            guard first <= jobs[job].next else {
                // It missed a message, and asks again for what it needs.
                attach(job, at: jobs[job].next)
                continue
            }
            let before = jobs[job].next
            jobs[job].next = max(before, end)
            if end > before {
                jobs[job].firstTokenAt = jobs[job].firstTokenAt ?? now
                jobs[job].lastTokenAt = now
            }
            if !script.isEmpty { runScripted(received: before..<jobs[job].next, of: job) }
            grant(job, &streams, &limits)
        }
        if !streams.isEmpty { send(.credit(streams: streams, limits: limits), from: client) }
    }

    private mutating func rejected(_ number: UInt64, _ error: ApusError) {
        let job = SimulatedJob.place(of: number)
        guard jobs[job].number == number else { return }
        let asking = siblings(of: job).filter { jobs[$0].number == number }
        if let wait = error.retryAfter {
            for place in asking { jobs[place].phase = jobs[place].phase == .attaching ? .detached : .waiting }
            let patience = min(wait.nanoseconds, Self.patience) + clientRandom.within(0...20_000_000)
            events.insert(.submit, at: now + patience, place: job)
        } else if jobs[job].phase == .attaching, error.code == .notFound {
            // Its coordinator forgot the job; the same key begins it again.
            jobs[job].job = nil
            submit(job)
        } else {
            for place in asking { jobIsDone(place) }
        }
    }

    private mutating func jobIsDone(_ job: Int) {
        guard jobs[job].phase != .done else { return }
        jobs[job].phase = .done
        unfinishedJobs -= 1
    }

    private mutating func note(_ job: Int, of stream: StreamID) {
        let place = Int(stream.rawValue)
        while jobOfStream.count <= place { jobOfStream.append(-1) }
        jobOfStream[place] = Int32(job)
    }

    /// The place of the stream that a client follows, by its number.
    @inline(__always)
    private func job(of stream: StreamID, on client: Int) -> Int? {
        guard stream.rawValue < UInt64(jobOfStream.count) else { return nil }
        let job = Int(jobOfStream[Int(stream.rawValue)])
        guard job >= 0, jobs[job].phase == .following, jobs[job].stream == stream,
            configuration.jobs[jobs[job].spec].client == client
        else { return nil }
        return job
    }
}
