import ApusModel
import ApusProtocol

/// What the client's user asks for.
extension ClientMachine {
    /// A job was submitted, with one stream or more.
    ///
    /// - Parameters:
    ///   - request: A number that no other request of this client has; further streams have the numbers behind it.
    ///   - key: The idempotency key; the same key is sent again after a lost connection.
    ///   - generation: The request, validated.
    ///   - consumers: Who consumes the streams, one a choice.
    ///   - window: Tokens that each stream may run ahead of its consumer.
    ///   - now: The present.
    /// - Returns: What to do.
    mutating func submitted(
        request: UInt64,
        key: String,
        generation: Apus_V1_Request,
        followers consumers: [Follower],
        window: UInt64,
        now: Timestamp
    ) -> [Effect] {
        if submittedKeys.contains(key) {
            let message = "a job with this key is being submitted by this client already"
            return consumers.map { .fail($0, ApusError(.invalidRequest, message)) }
        }
        if let error = refusal(ofStreams: consumers.count) { return consumers.map { .fail($0, error) } }
        var effects: [Effect] = []
        for (choice, follower) in consumers.enumerated() {
            effects += open(
                FollowedStream(
                    request: request + UInt64(choice),
                    choice: choice,
                    group: consumers.count,
                    isOwner: true,
                    asked: choice == 0 ? .submit(key: key, generation) : .sharedSubmit
                ),
                StreamFlow(from: 0, window: window),
                follower: follower,
                now: now
            )
        }
        return effects
    }

    /// One of a job's streams is to be followed from an index.
    ///
    /// - Parameters:
    ///   - request: A number that no other request of this client has.
    ///   - target: The job.
    ///   - choice: Which of its streams.
    ///   - index: The first index to receive.
    ///   - follower: Who consumes the stream.
    ///   - window: Tokens that the stream may run ahead of its consumer.
    ///   - now: The present.
    /// - Returns: What to do.
    mutating func attached(
        request: UInt64,
        _ target: AttachTarget,
        choice: Int,
        from index: UInt64,
        follower: Follower,
        window: UInt64,
        now: Timestamp
    ) -> [Effect] {
        if let job = target.job, slotOfJob[JobChoice(job: job, choice: choice)] != nil {
            return [.fail(follower, Self.followedAlready(job))]
        }
        if let error = refusal(ofStreams: 1) { return [.fail(follower, error)] }
        return open(
            FollowedStream(
                request: request,
                choice: choice,
                group: 1,
                isOwner: false,
                asked: .attach(target),
                job: target.job
            ),
            StreamFlow(from: index, window: window),
            follower: follower,
            now: now
        )
    }

    /// Why so many more streams can't be opened now.
    private func refusal(ofStreams count: Int) -> ApusError? {
        switch link {
        case .closing, .closed: return Self.shutDownError
        case .awaited, .up, .lost: break
        }
        guard openStreams + count > configuration.maximumStreams else { return nil }
        return ApusError(
            .overloaded,
            "this client has \(openStreams) open streams, and may have \(configuration.maximumStreams)"
        )
    }

    private mutating func open(
        _ stream: FollowedStream,
        _ flow: StreamFlow,
        follower: Follower,
        now: Timestamp
    ) -> [Effect] {
        var stream = stream
        // Streams that are submitted together are answered, and given up, together.
        if stream.asked != .sharedSubmit { stream.deadline = startDeadline(request: stream.request, now: now) }
        let slot = vacant.popLast() ?? streams.count
        if slot == streams.count {
            streams.append(nil)
            followers.append(nil)
        }
        streams[slot] = stream
        followers[slot] = follower
        flows.open(flow, slot: slot)
        slotOfRequest[stream.request] = slot
        if let job = stream.job { slotOfJob[JobChoice(job: job, choice: stream.choice)] = slot }
        if case .submit(let key, _) = stream.asked { submittedKeys.insert(key) }
        guard link == .up, let envelope = stream.envelope(flow) else { return [] }
        return [.send(envelope)]
    }

    /// A call was made.
    mutating func called(request: UInt64, _ call: ClientCall, caller: Caller, now: Timestamp) -> [Effect] {
        switch link {
        case .closing, .closed: return [.refuse(caller, Self.shutDownError)]
        case .awaited, .up, .lost: break
        }
        if calls.count >= configuration.maximumCalls {
            let message = "\(calls.count) calls of this client wait for an answer, as many as may"
            return [.refuse(caller, ApusError(.overloaded, message))]
        }
        return ask(request: request, call, caller: caller, now: now)
    }

    private mutating func ask(request: UInt64, _ call: ClientCall, caller: Caller?, now: Timestamp) -> [Effect] {
        let deadline = startDeadline(request: request, now: now)
        calls[request] = PendingCall(call: call, caller: caller, deadline: deadline)
        switch link {
        case .up, .closing: return [.send(call.envelope(request: request))]
        case .awaited, .lost, .closed: return []
        }
    }

    /// Ends a stream that nobody consumes any more, and its job.
    ///
    /// The cancellation takes the place of the stream, so it needs no bound of its own; it is also sent by a closing client.
    mutating func giveUp(slot: Int, job: JobID, now: Timestamp) -> [Effect] {
        guard let stream = streams[slot] else { return [] }
        vacate(slot: slot)
        return ask(request: stream.request, .cancel(job), caller: nil, now: now)
    }

    /// A stream's consumer or a call's caller is gone: its own job is cancelled with the last of its streams, another's stream
    /// is only left.
    mutating func abandoned(request: UInt64, now: Timestamp) -> [Effect] {
        guard let slot = slotOfRequest[request], let stream = streams[slot] else {
            calls[request] = nil
            return []
        }
        guard stream.isOwner else { return leave(slot: slot) }
        let together = group(of: stream)
        if let job = stream.job {
            return together.count > 1 ? leave(slot: slot) : giveUp(slot: slot, job: job, now: now)
        }
        // It has no job to name yet: the cancellation follows its acceptance.
        followers[slot] = nil
        if link == .awaited, together.allSatisfy({ followers[$0] == nil }) {
            // No coordinator has heard of it.
            for slot in together { vacate(slot: slot) }
        }
        return []
    }

    /// The slots of the streams that were submitted together and are still open, in the order of their choices.
    func group(of stream: FollowedStream) -> [Int] {
        stream.groupRequests.compactMap { slotOfRequest[$0] }
    }

    /// A stream's consumer goes on without it; its job goes on too.
    mutating func detached(request: UInt64) -> [Effect] {
        guard let slot = slotOfRequest[request], let stream = streams[slot] else { return [] }
        // A job that is left to itself in one of its streams is not cancelled with the others.
        for slot in group(of: stream) { streams[slot]?.isOwner = false }
        return leave(slot: slot)
    }

    /// Follows a stream no longer; the coordinator has to know, or it would hold the stream back for this client's credit.
    mutating func leave(slot: Int) -> [Effect] {
        let number = flows[slot].isNumbered ? flows[slot].number : nil
        vacate(slot: slot)
        guard link == .up, let number else { return [] }
        return [Self.detach([number])]
    }

    /// Tells the coordinator that streams are not followed.
    static func detach(_ streams: [UInt64]) -> Effect {
        var detach = Apus_V1_Detach()
        detach.streams = streams
        return .send(Apus_V1_Envelope(.detach(detach)))
    }

    /// A consumer has consumed its stream up to an index.
    mutating func consumed(request: UInt64, through index: Int) {
        guard let slot = slotOfRequest[request] else { return }
        flows.consumed(slot: slot, through: index)
    }

    /// The deliveries that `tokensReceived` named are made, and say how far their followers have consumed.
    mutating func delivered(_ deliveries: [TokenDelivery]) {
        for delivery in deliveries { flows.consumed(slot: delivery.slot, through: delivery.consumed) }
    }

    /// The credit that became due since the last call, at most one message for thousands of streams.
    mutating func dueCredit() -> [Effect] {
        let rows = flows.takeCredit()
        return stride(from: 0, to: rows.count, by: creditRowsPerMessage).map { start in
            let part = rows[start..<min(rows.count, start + creditRowsPerMessage)]
            var credit = Apus_V1_Credit()
            credit.streams = part.map(\.number)
            credit.limits = part.map(\.limit)
            return .send(Apus_V1_Envelope(.credit(credit)))
        }
    }

    // Two numbers of at most 10 bytes a row: this many rows fit into a frame.
    private var creditRowsPerMessage: Int { Limits.frameBytes / 32 }

    private mutating func startDeadline(request: UInt64, now: Timestamp) -> Timestamp {
        let isUp = link == .up
        let deadline = now + (isUp ? configuration.readTimeout : configuration.connectTimeout)
        deadlines.insert(deadline, request: request, lane: isUp ? .answer : .connect)
        return deadline
    }

    /// Frees a stream's slot.
    mutating func vacate(slot: Int) {
        guard let stream = streams[slot] else { return }
        streams[slot] = nil
        followers[slot] = nil
        flows.close(slot: slot)
        slotOfRequest[stream.request] = nil
        if let job = stream.job {
            let name = JobChoice(job: job, choice: stream.choice)
            if slotOfJob[name] == slot { slotOfJob[name] = nil }
        }
        if case .submit(let key, _) = stream.asked { submittedKeys.remove(key) }
        vacant.append(slot)
    }

    /// Ends a stream with an error; where its job is not accepted yet, all streams that were submitted with it.
    mutating func fail(slot: Int, _ error: ApusError) -> [Effect] {
        guard let stream = streams[slot] else { return [] }
        let slots = stream.isAccepted ? [slot] : group(of: stream)
        let consumers = slots.compactMap { followers[$0] }
        for slot in slots { vacate(slot: slot) }
        return consumers.map { .fail($0, error) }
    }

    /// What a second follower of a job on one client hears.
    static func followedAlready(_ job: JobID) -> ApusError {
        ApusError(.invalidRequest, "this client follows job \(job) already; another client can follow it too")
    }
}
