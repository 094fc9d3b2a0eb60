import ApusModel
import Synchronization

@testable import ZeroMQ

/// A fact that one thread announces and tasks wait for.
final class Signal: Sendable {
    private struct State {
        var isSet = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    /// Announces the fact.
    func set() {
        let waiters = state.withLock { state in
            state.isSet = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Returns once the fact has been announced.
    func wait() async {
        await withCheckedContinuation { continuation in
            let isSet = state.withLock { state in
                if !state.isSet { state.waiters.append(continuation) }
                return state.isSet
            }
            if isSet { continuation.resume() }
        }
    }
}

/// An actor on a poll executor without sockets; counts its turns.
actor Turner: PollDriver {
    nonisolated let executor: PollExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private(set) var turns = 0
    private(set) var log: [Int] = []
    private var waiters: [(turns: Int, continuation: CheckedContinuation<Void, Never>)] = []
    private var schedule: @Sendable (Timestamp, Int) -> Timestamp? = { _, _ in nil }
    private let gone: Signal?

    init(_ executor: PollExecutor, gone: Signal? = nil) {
        self.executor = executor
        self.gone = gone
    }

    isolated deinit {
        precondition(executor.isIsolatingCurrentContext() == true)
        gone?.set()
    }

    /// Starts the turns.
    func start(_ schedule: @escaping @Sendable (Timestamp, Int) -> Timestamp? = { _, _ in nil }) {
        self.schedule = schedule
        executor.drive(self)
    }

    func turn(now: Timestamp, ready: ReadySet) -> Timestamp? {
        turns += 1
        let reached = waiters.filter { $0.turns <= turns }
        waiters.removeAll { $0.turns <= turns }
        for waiter in reached { waiter.continuation.resume() }
        return schedule(now, turns)
    }

    /// Returns in or after a turn that has this number at least.
    func reach(turn number: Int) async {
        guard turns < number else { return }
        await withCheckedContinuation { waiters.append((number, $0)) }
    }

    func append(_ value: Int) { log.append(value) }

    /// Runs something on the executor's thread.
    func perform<R: Sendable>(_ body: @Sendable () -> R) -> R { body() }
}

/// An actor that answers every message of its router, and reports what its monitor sees.
actor Echo: PollDriver {
    nonisolated let executor: PollExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let socket: Socket
    private let monitor: SocketMonitor
    private let budget: Int
    private let gone: Signal
    private var tokens: (socket: PollToken, monitor: PollToken)?
    private(set) var events: Set<MonitorEvent.Kind> = []
    private(set) var failures = 0
    private(set) var idleTurns = 0

    init(_ context: ZeroMQContext, _ executor: PollExecutor, budget: Int = 100, gone: Signal) throws {
        self.executor = executor
        self.budget = budget
        self.gone = gone
        socket = try Socket(context, .router)
        monitor = try socket.monitor()
    }

    deinit { gone.set() }

    /// Binds and starts the turns.
    func start() throws -> String {
        let endpoint = try socket.bind("tcp://127.0.0.1:*")
        tokens = (executor.register(socket), executor.register(monitor))
        executor.drive(self)
        return endpoint
    }

    /// Polls the router no more, or again.
    func setListening(_ isListening: Bool) {
        guard let tokens else { return }
        executor.setInterest(isListening ? .readable : [], of: tokens.socket)
    }

    /// Replaces the router's registration.
    func registerAgain() {
        guard let old = tokens else { return }
        executor.unregister(old.socket)
        tokens = (executor.register(socket), old.monitor)
    }

    func turn(now: Timestamp, ready: ReadySet) -> Timestamp? {
        guard let tokens else { return nil }
        do {
            if ready.contains(tokens.monitor) {
                while let event = try monitor.next() { events.insert(event.kind) }
            }
            guard ready.contains(tokens.socket) else {
                idleTurns += 1
                return nil
            }
            for _ in 0..<budget {
                guard case .message(let route, let frame) = try socket.receiveRouted() else { return nil }
                if try socket.send(frame.bytes(), to: route) != .sent { failures += 1 }
            }
        } catch {
            failures += 1
        }
        return nil
    }
}

/// An actor that closes its socket and forgets to unregister it.
actor Forgetful: PollDriver {
    nonisolated let executor = PollExecutor(name: "forgetful")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private var socket: Socket?

    /// Polls a socket, then closes it.
    func forget(driving: Bool) throws {
        let socket = try Socket(ZeroMQContext(), .router)
        _ = executor.register(socket)
        self.socket = consume socket
        if driving { executor.drive(self) }
        self.socket = nil
    }

    /// Does nothing, between two polls.
    func rest() {}

    func turn(now: Timestamp, ready: ReadySet) -> Timestamp? { now }
}

/// A global actor on a poll executor: tasks isolated to it are enqueued in the order of their creation.
@globalActor
actor Ordered {
    static let shared = Ordered()
    nonisolated let executor = PollExecutor(name: "ordered")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
}
