import ApusCore
import ApusModel

/// A connection hears nothing of a stream after its end, nor after the answer to a cancel, until it asks for the stream again.
///
/// A cancel that comes after another end changes nothing: the answer says so, and what is left of the stream still follows.
struct SilenceChecker: Checker {
    static let name = "nothing after an end or a cancel's answer"

    var violation: Violation?

    private enum State: UInt8 {
        case open, ended, cancelled
    }

    /// By connection and stream.
    private var states = PairTable(initial: State.open)

    /// Cancels that are told and not answered, by connection and number.
    private var cancels: PairTable<JobID?> = PairTable(initial: nil)
    private var streamsOfJob: [JobID: Range<UInt64>] = [:]

    /// Whether a request is a submit, by connection and number.
    private var submits = PairTable(initial: false)

    /// Streams with a journaled end that is no cancel.
    private var endedOtherwise: Set<UInt64> = []

    mutating func requestTold(_ request: ClientRequest, from peer: ClientPeer, at now: Timestamp) {
        switch request {
        case .cancel(let number, let job): cancels[peer.rawValue, number] = job
        case .submit(let number, _, _, _): submits[peer.rawValue, number] = true
        default: break
        }
    }

    mutating func committed(tokens: [TokenColumns], records: [JournalRecord], at now: Timestamp) {
        for record in records {
            switch record {
            case .accepted(let accepted): streamsOfJob[accepted.job] = accepted.streams
            case .ended(let stream, let end, _) where end.reason != .cancelled: endedOtherwise.insert(stream.rawValue)
            case .leased, .ended, .forgotten: break
            }
        }
    }

    mutating func sent(_ message: ClientMessage, to peer: ClientPeer, at now: Timestamp) {
        switch message {
        case .accepted(let number, _, let stream, _, let choices):
            for offset in 0..<UInt64(submits[peer.rawValue, number] ? choices : 1) {
                states[peer.rawValue, stream.rawValue + offset] = .open
            }
        case .tokens(let shared):
            for row in 0..<shared.value.rows {
                let stream = shared.value.streams[row]
                check("index \(shared.value.firstIndexes[row])", of: stream, to: peer, at: now)
            }
        case .finished(let stream, _, _):
            check("an end", of: stream.rawValue, to: peer, at: now)
            states[peer.rawValue, stream.rawValue] = .ended
        case .done(let number):
            guard let job = cancels[peer.rawValue, number], let streams = streamsOfJob[job] else { return }
            cancels[peer.rawValue, number] = nil
            for stream in streams where !endedOtherwise.contains(stream) {
                states[peer.rawValue, stream] = .cancelled
            }
        case .welcome, .rejected, .retried, .refused: break
        }
    }

    private mutating func check(
        _ what: @autoclosure () -> String,
        of stream: UInt64,
        to peer: ClientPeer,
        at now: Timestamp
    ) {
        switch states[peer.rawValue, stream] {
        case .open: break
        case .ended: broken(at: now, "connection \(peer.rawValue) got \(what()) of stream \(stream) after its end")
        case .cancelled:
            broken(
                at: now,
                "connection \(peer.rawValue) got \(what()) of stream \(stream) after its cancel was answered"
            )
        }
    }
}
