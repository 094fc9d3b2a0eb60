import ApusCore
import ApusModel

/// While the disk refuses batches nothing is promised: no client hears of an acceptance, a token or an end, no worker of anything,
/// and whoever asks for a promise is told when to ask again.
struct OutageChecker: Checker {
    static let name = "nothing promised while the disk refuses"

    var violation: Violation?

    private var isOut = false

    mutating func outageBegan(at now: Timestamp) { isOut = true }

    mutating func outageEnded(at now: Timestamp) { isOut = false }

    mutating func coordinatorDied(at now: Timestamp) { isOut = false }

    @inline(__always)
    mutating func sent(_ message: ClientMessage, to peer: ClientPeer, at now: Timestamp) {
        if isOut { check(message, to: peer, at: now) }
    }

    @inline(__always)
    mutating func sent(_ message: WorkerMessage, to peer: WorkerPeer, at now: Timestamp) {
        guard isOut else { return }
        broken(at: now, "the worker at connection \(peer.rawValue) was sent something while the disk refused")
    }

    private mutating func check(_ message: ClientMessage, to peer: ClientPeer, at now: Timestamp) {
        let what: StaticString
        switch message {
        case .welcome: return
        case .rejected(_, let error), .refused(_, let error):
            // A connection that was given up is told at any time.
            if error.code == .notFound { return }
            guard error.code != .journalUnavailable || error.retryAfter == nil else { return }
            what = "another refusal than that of an unavailable journal"
        case .accepted: what = "an acceptance"
        case .tokens: what = "tokens"
        case .finished: what = "an end"
        case .done, .retried: what = "that its request is done"
        }
        broken(at: now, "connection \(peer.rawValue) was sent \(what) while the disk refused")
    }
}
