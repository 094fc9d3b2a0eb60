import ApusModel
import Dispatch
import Synchronization

/// The way from the actor to the engine's thread: many commands a crossing, and one wake-up a sleep.
final class Mailbox: Sendable {
    /// Commands that may wait before the actor stops reading its socket; ZeroMQ then pushes back on the coordinator.
    static let bound = 8_192

    private struct State {
        var commands: [EngineCommand] = []
        var isAsleep = false
        var isNudged = false
    }

    private let state = Mutex(State())
    private let alarm = DispatchSemaphore(value: 0)

    /// Whether no more commands should be posted for now; they are taken nevertheless.
    var isFull: Bool { state.withLock { $0.commands.count >= Self.bound } }

    /// Adds a command; never blocks.
    func post(_ command: EngineCommand) {
        wake { $0.commands.append(command) }
    }

    /// Wakes the engine's thread without a command: there is room in the outbox again.
    func nudge() {
        wake { $0.isNudged = true }
    }

    /// Takes every command, on the engine's thread.
    func take() -> [EngineCommand] {
        state.withLock { state in
            state.isNudged = false
            defer { state.commands = [] }
            return state.commands
        }
    }

    /// Blocks the engine's thread until there is a command or a nudge, or the time is over.
    func wait(timeout: Duration?) {
        let mustWait = state.withLock { state in
            state.isAsleep = state.commands.isEmpty && !state.isNudged
            return state.isAsleep
        }
        guard mustWait else { return }
        guard let timeout else { return alarm.wait() }
        // A wake-up that comes together with the timeout stays in the semaphore and makes the next wait return early.
        _ = alarm.wait(timeout: .now() + timeout.inSeconds)
        state.withLock { $0.isAsleep = false }
    }

    private func wake(_ change: (inout sending State) -> Void) {
        let mustSignal = state.withLock { state in
            change(&state)
            defer { state.isAsleep = false }
            return state.isAsleep
        }
        if mustSignal { alarm.signal() }
    }
}
