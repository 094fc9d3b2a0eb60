import ApusCore
import ApusModel

/// What a client sends to the coordinator; the requests of the protocol without their bytes.
///
/// Large messages are indirect, here and below, so that a message is passed on without copying what it carries.
enum ClientRequest: Sendable {
    case hello(name: String)
    indirect case submit(number: UInt64, key: String, GenerationRequest, credit: Int)
    indirect case attach(number: UInt64, job: JobID?, key: String, choice: Int, from: Int, credit: Int)
    case credit(streams: [UInt64], limits: [UInt64])
    case detach(streams: [UInt64])
    case cancel(number: UInt64, JobID)
    indirect case drain(number: UInt64, WorkerName?)
    case retry(number: UInt64, JobID)
}

/// What the coordinator sends to a client.
enum ClientMessage: Sendable {
    case welcome
    case accepted(number: UInt64, job: JobID, stream: StreamID, seed: UInt64, choices: Int)
    indirect case rejected(number: UInt64, ApusError)
    case tokens(Shared<TokenColumns>)
    indirect case finished(StreamID, JobID, StreamEnd)
    case done(number: UInt64)
    case retried(number: UInt64, JobID)
    indirect case refused(number: UInt64, ApusError)
}

/// What a worker sends to the coordinator.
enum WorkerReport: Sendable {
    indirect case register(WorkerRegistration, held: [HeldAttempt])
    case step(Shared<StepReport>)
    case leave
    case bye
}

/// What the coordinator sends to a worker.
enum WorkerMessage: Sendable {
    case enlisted(keep: [HeldAttempt])
    indirect case refused(ApusError)
    indirect case assign(StreamID, Epoch, GenerationRequest, history: [Int32], limit: Int)
    case acknowledge(streams: [UInt64], through: [UInt64], limits: [UInt64])
    case revoke(streams: [UInt64], epochs: [UInt32])
    case drain
}

/// A client in one life of its process; a client that restarts remembers its keys and nothing else.
struct ClientLife: Hashable, Sendable {
    /// The client's place in the world.
    let client: Int

    /// Counts its processes from 0.
    let life: Int
}
