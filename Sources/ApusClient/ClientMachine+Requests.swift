import ApusModel
import ApusProtocol

/// What the client's user asks for.
extension ClientMachine {
    /// A job was submitted.
    ///
    /// - Parameters:
    ///   - request: A number that no other request of this client has.
    ///   - key: The idempotency key; the same key is sent again after a lost connection.
    ///   - generation: The request, validated.
    ///   - follower: Who consumes the stream.
    ///   - window: Tokens that the stream may run ahead of its consumer.
    ///   - now: The present.
    /// - Returns: What to do.
    mutating func submitted(
        request: UInt64,
        key: String,
        generation: Apus_V1_Request,
        follower: Follower,
        window: UInt64,
        now: Timestamp
    ) -> [Effect] {
        if submittedKeys.contains(key) {
            let message = "a job with this key is being submitted by this client already"
            return [.fail(follower, ApusError(.invalidRequest, message))]
        }
        return open(
            FollowedStream(
                request: request,
                isOwner: true,
                window: window,
                follower: follower,
                asked: .submit(key: key, generation),
                next: 0,
                consumed: 0,
                limit: window
            ),
            follower: follower,
            now: now
        )
    }

    /// A job's stream is to be followed from an index.
    ///
    /// - Parameters:
    ///   - request: A number that no other request of this client has.
    ///   - job: The job.
    ///   - index: The first index to receive.
    ///   - follower: Who consumes the stream.
    ///   - window: Tokens that the stream may run ahead of its consumer.
    ///   - now: The present.
    /// - Returns: What to do.
    mutating func attached(
        request: UInt64,
        job: JobID,
        from index: UInt64,
        follower: Follower,
        window: UInt64,
        now: Timestamp
    ) -> [Effect] {
        if slotOfJob[job] != nil {
            return [.fail(follower, Self.followedAlready(job))]
        }
        return open(
            FollowedStream(
                request: request,
                isOwner: false,
                window: window,
                follower: follower,
                asked: .attach,
                job: job,
                next: index,
                consumed: index,
                limit: index + window
            ),
            follower: follower,
            now: now
        )
    }

    private mutating func open(
        _ stream: FollowedStream<Follower>,
        follower: Follower,
        now: Timestamp
    ) -> [Effect] {
        switch link {
        case .closing, .closed: return [.fail(follower, Self.shutDownError)]
        case .awaited, .up, .lost: break
        }
        guard openStreams < configuration.maximumStreams else {
            let message = "this client has \(openStreams) open streams, as many as it may"
            return [.fail(follower, ApusError(.overloaded, message))]
        }
        var stream = stream
        stream.deadline = startDeadline(request: stream.request, now: now)
        let slot = vacant.popLast() ?? streams.count
        if slot == streams.count { streams.append(nil) }
        streams[slot] = stream
        slotOfRequest[stream.request] = slot
        if let job = stream.job { slotOfJob[job] = slot }
        if case .submit(let key, _) = stream.asked { submittedKeys.insert(key) }
        guard link == .up, let envelope = stream.envelope() else { return [] }
        return [.send(envelope)]
    }

    /// A call was made; `caller` is `nil` where nobody waits for the answer.
    mutating func called(request: UInt64, _ call: ClientCall, caller: Caller?, now: Timestamp) -> [Effect] {
        switch link {
        case .closing, .closed: return caller.map { [.refuse($0, Self.shutDownError)] } ?? []
        case .awaited, .up, .lost: break
        }
        // A cancellation that nobody waits for takes the place of the stream that it ends, so it needs no bound of its own.
        if let caller, calls.count >= configuration.maximumCalls {
            let message = "\(calls.count) calls of this client wait for an answer, as many as may"
            return [.refuse(caller, ApusError(.overloaded, message))]
        }
        let deadline = startDeadline(request: request, now: now)
        calls[request] = PendingCall(call: call, caller: caller, deadline: deadline)
        return link == .up ? [.send(call.envelope(request: request))] : []
    }

    /// A stream's consumer or a call's caller is gone: its own job is cancelled, another's stream is only left.
    mutating func abandoned(request: UInt64, now: Timestamp) -> [Effect] {
        guard let slot = slotOfRequest[request], let stream = streams[slot] else {
            calls[request] = nil
            return []
        }
        guard stream.isOwner else { return leave(slot: slot) }
        // A submit without an answer has no job to name yet: the cancellation follows its acceptance.
        guard let job = stream.job else {
            streams[slot]?.follower = nil
            return []
        }
        vacate(slot: slot)
        return called(request: request, .cancel(job), caller: nil, now: now)
    }

    /// A stream's consumer goes on without it; its job goes on too.
    mutating func detached(request: UInt64) -> [Effect] {
        guard let slot = slotOfRequest[request] else { return [] }
        return leave(slot: slot)
    }

    /// Follows a stream no longer; the coordinator has to know, or it would hold the stream back for this client's credit.
    private mutating func leave(slot: Int) -> [Effect] {
        let stream = streams[slot]?.stream
        vacate(slot: slot)
        guard link == .up, let stream else { return [] }
        return [Self.detach(stream)]
    }

    /// Tells the coordinator that a stream is not followed.
    static func detach(_ stream: UInt64) -> Effect {
        var detach = Apus_V1_Detach()
        detach.streams = [stream]
        return .send(Apus_V1_Envelope(.detach(detach)))
    }

    /// A consumer has consumed its stream up to an index.
    mutating func consumed(request: UInt64, through index: Int) {
        guard let slot = slotOfRequest[request] else { return }
        consumed(slot: slot, through: index)
    }

    /// As `consumed(request:through:)`, for a slot that a delivery has just named.
    mutating func consumed(slot: Int, through index: Int) {
        // Written field by field: this runs once a row, and a copy of the whole stream would cost more than the rest.
        guard let next = streams[slot]?.next, let before = streams[slot]?.consumed, let window = streams[slot]?.window,
            let limit = streams[slot]?.limit, let isDue = streams[slot]?.isCreditDue
        else { return }
        let consumed = min(UInt64(clamping: index), next)
        guard consumed > before else { return }
        streams[slot]?.consumed = consumed
        // Half a window keeps the stream moving while a raise travels, at one row of credit for as many tokens.
        guard !isDue, consumed + window >= limit + max(1, window / 2) else { return }
        streams[slot]?.isCreditDue = true
        creditDue.append(slot)
    }

    /// The credit that became due since the last call, at most one message for thousands of streams.
    mutating func dueCredit() -> [Effect] {
        guard !creditDue.isEmpty else { return [] }
        var effects: [Effect] = []
        var credit = Apus_V1_Credit()
        for slot in creditDue {
            guard let stream = streams[slot], stream.isCreditDue, let number = stream.stream else { continue }
            streams[slot]?.isCreditDue = false
            streams[slot]?.limit = stream.consumed + stream.window
            credit.streams.append(number)
            credit.limits.append(stream.consumed + stream.window)
            if credit.streams.count == creditRowsPerMessage {
                effects.append(.send(Apus_V1_Envelope(.credit(credit))))
                credit = Apus_V1_Credit()
            }
        }
        creditDue.removeAll(keepingCapacity: true)
        if !credit.streams.isEmpty { effects.append(.send(Apus_V1_Envelope(.credit(credit)))) }
        return effects
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
        slotOfRequest[stream.request] = nil
        if let number = stream.stream, slotOfStream[number] == slot { slotOfStream[number] = nil }
        if let job = stream.job, slotOfJob[job] == slot { slotOfJob[job] = nil }
        if case .submit(let key, _) = stream.asked { submittedKeys.remove(key) }
        vacant.append(slot)
    }

    /// Ends a stream with an error.
    mutating func fail(slot: Int, _ error: ApusError) -> [Effect] {
        guard let stream = streams[slot] else { return [] }
        vacate(slot: slot)
        return stream.follower.map { [.fail($0, error)] } ?? []
    }

    /// What a second follower of a job on one client hears.
    static func followedAlready(_ job: JobID) -> ApusError {
        ApusError(.invalidRequest, "this client follows job \(job) already; another client can follow it too")
    }
}
