import ApusModel

/// Knows where a worker stands with its coordinator, from the first connection to every reconnect.
///
/// Each registration opens a session: the engine's thread stops delivering, says what it holds, and delivers again, from
/// the unacknowledged tokens on, when the coordinator has answered. A pure value; timers are `deadline`s that come back as
/// `timePassed`.
struct EnlistmentMachine: Sendable {
    /// What the actor has to do.
    enum Effect: Equatable, Sendable {
        /// Ask the engine's thread what it holds.
        case describe(session: UInt64)
        /// Send a registration with what is held.
        case register
        /// Tell the engine's thread to deliver.
        case resume(session: UInt64)
    }

    private enum State {
        case disconnected
        case describing
        case registered(until: Timestamp)
        case enlisted
    }

    private let timeout: Duration
    private var state = State.disconnected

    /// The session in force; frames of another one are not sent.
    private(set) var session: UInt64 = 0

    /// Starts without a connection.
    ///
    /// - Parameter timeout: How long the answer to a registration may take.
    init(timeout: Duration) {
        self.timeout = timeout
    }

    /// Whether messages may be sent.
    var isConnected: Bool {
        if case .disconnected = state { false } else { true }
    }

    /// Whether the coordinator counts this worker as its own.
    var isEnlisted: Bool {
        if case .enlisted = state { true } else { false }
    }

    /// When `timePassed` is due.
    var deadline: Timestamp? {
        if case .registered(let deadline) = state { deadline } else { nil }
    }

    /// The connection is ready for messages.
    mutating func connected() -> Effect {
        openSession()
    }

    /// The connection is gone.
    mutating func disconnected() {
        session += 1
        state = .disconnected
    }

    /// The engine's thread said what it holds.
    mutating func described(session: UInt64, now: Timestamp) -> Effect? {
        guard case .describing = state, session == self.session else { return nil }
        state = .registered(until: now + timeout)
        return .register
    }

    /// The coordinator answered a registration.
    mutating func enlisted() -> Effect? {
        switch state {
        case .disconnected, .describing:
            // The answer to a registration that has been superseded; the next one is on its way.
            return nil
        case .registered, .enlisted:
            state = .enlisted
            return .resume(session: session)
        }
    }

    /// The coordinator does not know this worker.
    mutating func refused() -> Effect? {
        switch state {
        case .disconnected, .describing: nil
        case .registered, .enlisted: openSession()
        }
    }

    /// Time has passed.
    mutating func timePassed(now: Timestamp) -> Effect? {
        guard case .registered(let deadline) = state, now >= deadline else { return nil }
        return openSession()
    }

    private mutating func openSession() -> Effect {
        session += 1
        state = .describing
        return .describe(session: session)
    }
}
