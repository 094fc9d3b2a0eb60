import ApusCore
import ApusModel

/// An accepted stream ends exactly once: in the journal, and the same at every client that hears of it.
struct EndChecker: Checker {
    static let name = "accepted implies exactly one end"

    var violation: Violation?

    private struct State {
        var isAccepted = false
        var end: StreamEnd?
        var isForgotten = false
    }

    private var streams: PerStream<State>

    init(configuration: WorldConfiguration) {
        streams = PerStream(from: configuration.settings.firstStream, initial: State())
    }

    mutating func committed(tokens: [TokenColumns], records: [JournalRecord], at now: Timestamp) {
        for record in records {
            switch record {
            case .accepted(let accepted):
                for stream in accepted.streams {
                    if streams[stream].isAccepted { broken(at: now, "stream \(stream) was accepted twice") }
                    streams[stream].isAccepted = true
                }
            case .leased: break
            case .ended(let stream, let end, _):
                let state = streams[stream.rawValue]
                if !state.isAccepted { broken(at: now, "stream \(stream) ended and was never accepted") }
                if let first = state.end {
                    broken(
                        at: now,
                        "stream \(stream) ended twice: \(first.reason.rawValue), then \(end.reason.rawValue)"
                    )
                }
                streams[stream.rawValue].end = end
            case .forgotten(let stream):
                if streams[stream.rawValue].end == nil {
                    broken(at: now, "stream \(stream) was forgotten before its end")
                }
                streams[stream.rawValue].isForgotten = true
            }
        }
    }

    mutating func lost(_ loss: CoordinatorLoss, at now: Timestamp) {
        for accepted in loss.gone {
            for stream in accepted.streams { streams[stream].isAccepted = false }
        }
    }

    mutating func clientReceived(_ message: ClientMessage, by client: ClientLife, at now: Timestamp) {
        guard case .finished(let stream, _, let end) = message else { return }
        let state = streams[stream.rawValue]
        guard let first = state.end else {
            broken(
                at: now,
                "client \(client.client) heard of an end of stream \(stream) that the journal does not have"
            )
            return
        }
        if state.isForgotten, end.error?.code == .notFound { return }
        guard first != end else { return }
        broken(
            at: now,
            "client \(client.client) heard that stream \(stream) ended with \(end.reason.rawValue) and "
                + "\(end.usage.completionTokens) tokens; the journal has \(first.reason.rawValue) and "
                + "\(first.usage.completionTokens)"
        )
    }

    mutating func worldEnded(_ end: borrowing WorldEnd, at now: Timestamp) {
        for stream in streams.first..<streams.end where streams[stream].isAccepted && streams[stream].end == nil {
            broken(at: now, "stream \(stream) was accepted and never ended")
            return
        }
    }
}
