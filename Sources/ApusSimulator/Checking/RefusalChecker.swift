import ApusCore
import ApusModel

/// A worker that says that it takes nothing new gets nothing new, until it says otherwise.
struct RefusalChecker: Checker {
    static let name = "nothing new for a worker that refuses"

    var violation: Violation?

    /// The connections whose workers refuse, by the last message that the machine was told.
    private var refusing: Set<WorkerPeer> = []

    mutating func reportTold(_ report: WorkerReport, from peer: WorkerPeer, at now: Timestamp) {
        switch report {
        case .step(let shared):
            if shared.value.load.isRefusing { refusing.insert(peer) } else { refusing.remove(peer) }
        case .register, .bye: refusing.remove(peer)
        case .leave: break
        }
    }

    mutating func sent(_ message: WorkerMessage, to peer: WorkerPeer, at now: Timestamp) {
        guard case .assign(let stream, let epoch, _, _, _) = message, refusing.contains(peer) else { return }
        broken(
            at: now,
            "attempt \(epoch) of stream \(stream) was given to the worker at connection \(peer.rawValue), which refuses work"
        )
    }

    mutating func coordinatorDied(at now: Timestamp) {
        refusing.removeAll()
    }
}
