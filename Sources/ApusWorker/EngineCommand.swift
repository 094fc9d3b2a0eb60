import ApusCore
import ApusEngine
import ApusModel

/// What the actor tells the engine's thread; taken between two steps, in order.
enum EngineCommand: Sendable {
    /// Start an attempt.
    case start(Assignment)
    /// Answer an assignment that could not be read.
    case refuse(StreamID, Epoch, next: Int, ApusError)
    /// End attempts without a word.
    case revoke([HeldAttempt])
    /// Forget tokens and raise limits.
    case acknowledge([Acknowledgement])
    /// Change how the batch is chosen.
    case configure(WorkerSettings)
    /// Give up, or take back, what memory is short of.
    case memory([MemoryEffect], MemoryLevel, residentBytes: UInt64)
    /// So much of the steps' time went into sending.
    case transferMeasured(Duration)
    /// Stop delivering and say which attempts are held, for the registration of this session.
    case describe(session: UInt64)
    /// The coordinator has enlisted the worker: drop the other attempts, deliver again from the unacknowledged tokens on.
    case resume(session: UInt64, keep: [HeldAttempt])
    /// Take no new attempts and say when the last one is done.
    case drain
    /// End the thread.
    case stop
}

/// Tokens of a stream before `through` are safe; generation may go on up to `limit`.
struct Acknowledgement: Sendable {
    var stream: StreamID
    var through: Int
    var limit: Int
}
