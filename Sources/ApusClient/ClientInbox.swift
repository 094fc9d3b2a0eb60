import ApusModel
import ApusProtocol
import Synchronization
import ZeroMQ

/// What users of a client ask for, on its way to the connection's thread.
///
/// Bounded by the callers themselves: every command belongs to a task that waits for its answer or to an open stream.
final class ClientInbox: Sendable {
    /// One thing to do.
    enum Command: Sendable {
        /// Submit a job, with a sink for each of its streams and a number for each, from `request` on.
        case submit(request: UInt64, key: String, Apus_V1_Request, [any StreamSink], window: Int)
        /// Follow one of a job's streams.
        case attach(request: UInt64, AttachTarget, choice: Int, from: Int, any StreamSink, window: Int)
        /// Ask for something else.
        case call(request: UInt64, ClientCall, Promise<ClientReply>)
        /// A consumer or caller is gone.
        case abandon(request: UInt64)
        /// A consumer leaves its stream to itself.
        case detach(request: UInt64)
        /// A consumer has consumed tokens.
        case consumed(request: UInt64, through: Int)
        /// Shut the client down.
        case shutDown
    }

    private struct State {
        var commands: [Command] = []
        var lastRequest: UInt64 = 0
        var isClosed = false
    }

    private let state = Mutex(State())
    private let executor: PollExecutor

    /// An empty inbox.
    ///
    /// - Parameter executor: Woken for each command.
    init(waking executor: PollExecutor) {
        self.executor = executor
    }

    /// Consecutive numbers for new requests; no two are equal, none is 0.
    ///
    /// - Parameter count: How many.
    /// - Returns: The first of them.
    func nextRequest(_ count: Int = 1) -> UInt64 {
        state.withLock { state in
            defer { state.lastRequest += UInt64(count) }
            return state.lastRequest + 1
        }
    }

    /// Hands a command over; a closed inbox refuses it in the connection's place.
    func push(_ command: Command) {
        let isOpen = state.withLock { state in
            if !state.isClosed { state.commands.append(command) }
            return !state.isClosed
        }
        if isOpen { executor.wake() } else { refuse(command) }
    }

    /// Takes all commands, in order.
    func take() -> [Command] {
        state.withLock { state in
            if state.commands.isEmpty { return [] }
            defer { state.commands = [] }
            return state.commands
        }
    }

    /// Refuses what waits and whatever comes later: the connection is closed.
    func close() {
        let rest = state.withLock { state in
            state.isClosed = true
            defer { state.commands = [] }
            return state.commands
        }
        for command in rest { refuse(command) }
    }

    private func refuse(_ command: Command) {
        let error = ApusError(.cancelled, "the client is shut down")
        switch command {
        case .submit(_, _, _, let sinks, _): for sink in sinks { sink.failed(error) }
        case .attach(_, _, _, _, let sink, _): sink.failed(error)
        case .call(_, _, let promise): promise.fulfil(.failure(error))
        case .abandon, .detach, .consumed, .shutDown: break
        }
    }
}
