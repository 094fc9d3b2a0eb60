import ApusModel
import ApusProtocol

/// The client's side of the protocol as a value: facts with a timestamp in, effects out; no socket, clock or task.
///
/// It knows who follows which stream, what is unanswered and what has to be sent again on a new connection. Followers and
/// callers are opaque to it. The connection performs its effects in order and asks `nextDeadline` when to call
/// `timePassed`.
struct ClientMachine<Follower: Sendable, Caller: Sendable>: Sendable {
    typealias Effect = ClientEffect<Follower, Caller>

    /// How long the closing client waits for its last acceptances and cancellations.
    static var closingGrace: Duration { .seconds(1) }

    /// The least time between two joins on one connection.
    static var joinInterval: Duration { .seconds(1) }

    /// A call without a stream that waits for its answer.
    struct PendingCall: Sendable {
        /// What is asked.
        var call: ClientCall
        /// Who asked; `nil` for a cancellation that follows from a stream's consumer going away.
        var caller: Caller?
        /// When the answer counts as lost.
        var deadline: Timestamp?
    }

    /// The state of the connection.
    enum Link: Hashable, Sendable {
        /// There was none yet.
        case awaited
        /// Messages can be sent.
        case up
        /// It is gone since this moment; ZeroMQ tries again by itself.
        case lost(Timestamp)
        /// No new work; only given up submits and cancellations are still answered, until this moment.
        case closing(Timestamp)
        /// All is over.
        case closed
    }

    let configuration: ClientConfiguration
    var link = Link.awaited
    var streams: [FollowedStream?] = []

    /// Who consumes the stream of each slot; `nil` once the consumer went before the answer came.
    var followers: [Follower?] = []

    /// How far the stream of each slot has come.
    var flows = FlowTable()

    var vacant: [Int] = []
    var slotOfRequest: [UInt64: Int] = [:]
    var slotOfJob: [JobChoice: Int] = [:]
    var submittedKeys: Set<String> = []
    var calls: [UInt64: PendingCall] = [:]
    var deadlines = RequestDeadlines()

    /// When the client last said hello.
    private var joined: Timestamp?

    /// When to say hello again to a coordinator that does not know this client any more.
    private var joinDue: Timestamp?

    /// When streams are asked for again that the coordinator could not serve, and which.
    private var askDue: Timestamp?
    private var askAgain: [UInt64] = []

    /// Messages that could not be decoded or that the protocol does not allow here.
    var malformed = 0

    /// A client before its first connection.
    ///
    /// - Parameter configuration: Validated by the caller.
    init(configuration: ClientConfiguration) {
        self.configuration = configuration
    }

    /// Streams that are open or asked for.
    var openStreams: Int { slotOfRequest.count }

    // MARK: - The connection

    /// A connection is there; everything that is not answered goes out again, in the order in which it was asked.
    mutating func connected(now: Timestamp) -> [Effect] {
        switch link {
        case .closed: return []
        case .closing: break
        case .awaited, .up, .lost: link = .up
        }
        // What waits gets its whole time on the new connection.
        for slot in streams.indices { streams[slot]?.deadline = nil }
        for request in calls.keys { calls[request]?.deadline = nil }
        return join(now: now)
    }

    /// The coordinator does not know this client any more, as it gave the connection up while it was too far behind.
    ///
    /// Joins as on a new connection, at most once a `joinInterval`; what is unanswered keeps its deadline, so a coordinator that
    /// never knows its client is not asked for ever.
    mutating func forgotten(now: Timestamp) -> [Effect] {
        switch link {
        case .up, .closing: break
        case .awaited, .lost, .closed: return []
        }
        guard let joined, now < joined + Self.joinInterval else { return join(now: now) }
        joinDue = joined + Self.joinInterval
        return []
    }

    /// The coordinator knows this client; what it did not know came before, for it answers in order.
    mutating func welcomed() {
        joinDue = nil
    }

    private mutating func join(now: Timestamp) -> [Effect] {
        joined = now
        joinDue = nil
        askDue = nil
        askAgain.removeAll()
        var hello = Apus_V1_Hello()
        hello.client = configuration.name
        var effects: [Effect] = [.discardUnsent, .send(Apus_V1_Envelope(.hello(hello)))]
        forgetStreamNumbers()
        let due = now + configuration.readTimeout
        for request in (Array(slotOfRequest.keys) + Array(calls.keys)).sorted() {
            if let slot = slotOfRequest[request], let envelope = streams[slot]?.envelope(flows[slot]) {
                effects.append(.send(envelope))
                if streams[slot]?.deadline != nil { continue }
                streams[slot]?.deadline = due
            } else if let call = calls[request] {
                effects.append(.send(call.call.envelope(request: request)))
                if call.deadline != nil { continue }
                calls[request]?.deadline = due
            }
            deadlines.insert(due, request: request, lane: .answer)
        }
        return effects
    }

    /// The connection is gone; streams wait for the next one.
    mutating func disconnected(now: Timestamp) -> [Effect] {
        guard link == .up else { return [] }
        link = .lost(now)
        joinDue = nil
        forgetStreamNumbers()
        return [.discardUnsent]
    }

    // Stream numbers belong to a coordinator's life: after a restart another job may have one of them.
    private mutating func forgetStreamNumbers() {
        flows.forgetNumbers()
        for slot in streams.indices where streams[slot]?.isAccepted == true {
            streams[slot]?.asked = .reattach
            flows[slot].isReattaching = true
            flows[slot].grant()
        }
    }

    // MARK: - Time

    /// When `timePassed` has to be called next, if nothing else happens.
    mutating func nextDeadline() -> Timestamp? {
        var next = nextRequestDeadline()?.at
        if let joinDue { next = min(next ?? .distantFuture, joinDue) }
        if let askDue { next = min(next ?? .distantFuture, askDue) }
        switch link {
        case .lost(let moment) where openStreams > 0:
            next = min(next ?? .distantFuture, moment + configuration.reconnectWindow)
        case .closing(let moment):
            next = min(next ?? .distantFuture, moment)
        case .awaited, .up, .lost, .closed:
            break
        }
        return next
    }

    /// Time has passed: requests without an answer fail, and so do streams whose connection stays away too long.
    mutating func timePassed(now: Timestamp) -> [Effect] {
        var effects: [Effect] = []
        while let due = nextRequestDeadline(), due.at <= now {
            effects += expire(request: due.request, now: now)
        }
        if case .lost(let moment) = link, moment + configuration.reconnectWindow <= now {
            let error = ApusError(
                .unreachable,
                "the connection to \(configuration.endpoint) has been lost for \(configuration.reconnectWindow)"
            )
            for (slot, stream) in streams.enumerated() where stream?.isAccepted == true {
                effects += fail(slot: slot, error)
            }
        }
        if case .closing(let moment) = link, moment <= now || isIdle { effects += finishClosing() }
        if let joinDue, joinDue <= now { effects += join(now: now) }
        if let askDue, askDue <= now { effects += askWaiting(now: now) }
        return effects
    }

    private mutating func nextRequestDeadline() -> (request: UInt64, at: Timestamp)? {
        let streams = streams
        let slots = slotOfRequest
        let calls = calls
        return deadlines.next { request, at in
            if let slot = slots[request] { streams[slot]?.deadline == at } else { calls[request]?.deadline == at }
        }
    }

    private mutating func expire(request: UInt64, now: Timestamp) -> [Effect] {
        let error =
            switch link {
            case .up, .closing, .closed:
                ApusError(
                    .timeout,
                    "the coordinator at \(configuration.endpoint) did not answer within \(configuration.readTimeout)"
                )
            case .awaited, .lost:
                ApusError(
                    .unreachable,
                    "no coordinator answers at \(configuration.endpoint); is it running? start one with `apus up`"
                )
            }
        if let slot = slotOfRequest[request] { return fail(slot: slot, error) }
        guard let call = calls.removeValue(forKey: request), let caller = call.caller else { return [] }
        return [.refuse(caller, error)]
    }

    /// Asks for a stream again after a while; until then it waits for nothing.
    mutating func askAgain(slot: Int, at moment: Timestamp) {
        guard let request = streams[slot]?.request else { return }
        streams[slot]?.deadline = nil
        askAgain.append(request)
        askDue = min(askDue ?? .distantFuture, moment)
    }

    private mutating func askWaiting(now: Timestamp) -> [Effect] {
        askDue = nil
        let requests = askAgain
        askAgain.removeAll()
        guard link == .up else { return [] }
        var effects: [Effect] = []
        for request in requests {
            guard let slot = slotOfRequest[request], streams[slot]?.asked == .reattach,
                let envelope = streams[slot]?.envelope(flows[slot])
            else { continue }
            let due = now + configuration.readTimeout
            streams[slot]?.deadline = due
            deadlines.insert(due, request: request, lane: .answer)
            effects.append(.send(envelope))
        }
        return effects
    }

    // MARK: - The end

    /// The client is shut down: whatever is open ends with `cancelled`.
    ///
    /// Accepted jobs go on, except those whose consumers went before. A submit that may have reached the coordinator has nobody
    /// who could know its job: its acceptance is waited for, and the job cancelled.
    mutating func shutDown(now: Timestamp) -> [Effect] {
        switch link {
        case .closing, .closed: return []
        case .awaited, .up, .lost: break
        }
        let error = Self.shutDownError
        var effects: [Effect] = []
        for slot in streams.indices {
            guard let stream = streams[slot], stream.isOwner, stream.job == nil, link != .awaited else {
                effects += fail(slot: slot, error)
                continue
            }
            if let follower = followers[slot] { effects.append(.fail(follower, error)) }
            followers[slot] = nil
        }
        for request in calls.keys.sorted() {
            guard let caller = calls[request]?.caller else { continue }
            calls[request] = nil
            effects.append(.refuse(caller, error))
        }
        guard link != .awaited, !isIdle else { return effects + finishClosing() }
        link = .closing(now + Self.closingGrace)
        return effects
    }

    /// Ends the closing client once nothing is left to wait for.
    mutating func closeIfDone() -> [Effect] {
        guard case .closing = link, isIdle else { return [] }
        return finishClosing()
    }

    /// Whether nothing is asked for.
    private var isIdle: Bool { calls.isEmpty && slotOfRequest.isEmpty }

    private mutating func finishClosing() -> [Effect] {
        link = .closed
        joinDue = nil
        calls.removeAll()
        for slot in streams.indices { vacate(slot: slot) }
        return [.close]
    }

    /// What calls on a client hear that is shut down.
    static var shutDownError: ApusError { ApusError(.cancelled, "the client is shut down") }
}
