import ApusCore
import ApusEngine
import ApusModel
import Synchronization

/// The way from the engine's thread to the actor: frames ready to be sent, and what else the thread has to say.
final class Outbox: Sendable {
    /// A frame of a session; frames of an older session are dropped, because their tokens are sent again.
    struct Frame: Sendable {
        var session: UInt64
        var bytes: [UInt8]
    }

    /// What the thread has to say, in order.
    enum Event: Sendable {
        /// The engine is loaded.
        case ready(EngineDescription)
        /// The engine could not be made.
        case failed(ApusError)
        /// The held attempts, for the registration of this session.
        case described(session: UInt64, held: [HeldAttempt])
        /// A drain is done.
        case drained
        /// The thread is at its end.
        case stopped
    }

    /// Bytes that may wait before the engine pauses.
    static let bound = 16 << 20

    private struct State {
        var frames: [Frame] = []
        var events: [Event] = []
        var bytes = 0
    }

    private let state = Mutex(State())
    private let size = Atomic<Int>(0)

    /// Whether the actor has taken everything.
    var isEmpty: Bool { size.load(ordering: .relaxed) == 0 }

    /// Whether the engine has to pause until the actor has sent some of it.
    var isFull: Bool { size.load(ordering: .relaxed) >= Self.bound }

    /// Adds frames, in order.
    func append(_ frames: [Frame]) {
        state.withLock { state in
            state.frames += frames
            state.bytes += frames.reduce(0) { $0 + $1.bytes.count }
            size.store(state.bytes, ordering: .relaxed)
        }
    }

    /// Adds an event.
    func append(_ event: Event) {
        state.withLock { $0.events.append(event) }
    }

    /// Takes everything, on the actor's thread.
    ///
    /// - Parameter takesFrames: `false` leaves the frames, so that the outbox fills while the socket takes nothing.
    /// - Returns: Events and frames, and whether the engine may have paused for want of room.
    func take(frames takesFrames: Bool) -> (events: [Event], frames: [Frame], wasFull: Bool) {
        state.withLock { state in
            let events = state.events
            state.events = []
            guard takesFrames else { return (events, [], false) }
            defer {
                state.frames = []
                state.bytes = 0
                size.store(0, ordering: .relaxed)
            }
            return (events, state.frames, state.bytes >= Self.bound)
        }
    }
}
