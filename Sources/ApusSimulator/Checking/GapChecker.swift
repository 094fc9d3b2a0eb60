import ApusCore
import ApusModel

/// From the index that a client asked for, it gets each index once and in order, up to the end that it is told.
struct GapChecker: Checker {
    static let name = "no gap and no duplicate at a client"

    var violation: Violation?

    /// What a client follows.
    private struct Attachment {
        /// The client's connection, counted from 1.
        var connection = 0

        /// The index that comes next.
        var next = 0
    }

    /// By the client's place and the stream's number.
    private var attachments = PairTable(initial: Attachment())

    /// For each client: its connections so far, and the first index of each request that waits for its answer.
    private var connections: [Int] = []
    private var asked: [[UInt64: Asked]] = []

    /// A request that wants streams from an index on.
    private struct Asked {
        let from: Int
        let isSubmit: Bool
    }

    /// Streams whose tokens were lost with a coordinator.
    private var derivedAgain: Set<UInt64> = []

    init(configuration: WorldConfiguration) {
        connections = [Int](repeating: 1, count: configuration.clients.count)
        asked = [[UInt64: Asked]](repeating: [:], count: configuration.clients.count)
    }

    mutating func clientSent(_ request: ClientRequest, by client: ClientLife, at now: Timestamp) {
        switch request {
        case .hello:
            connections[client.client] += 1
            asked[client.client].removeAll(keepingCapacity: true)
        case .submit(let number, _, _, _): asked[client.client][number] = Asked(from: 0, isSubmit: true)
        case .attach(let number, _, _, _, let from, _):
            asked[client.client][number] = Asked(from: from, isSubmit: false)
        case .credit, .detach, .cancel, .drain, .retry: break
        }
    }

    mutating func lost(_ loss: CoordinatorLoss, at now: Timestamp) {
        for stream in loss.derivedAgain { derivedAgain.insert(stream.rawValue) }
    }

    mutating func clientReceived(_ message: ClientMessage, by client: ClientLife, at now: Timestamp) {
        let place = UInt64(client.client)
        let connection = connections[client.client]
        switch message {
        case .accepted(let number, _, let stream, _, let choices):
            guard let request = asked[client.client].removeValue(forKey: number) else {
                broken(at: now, "client \(place) got an acceptance of stream \(stream) that answers no request of it")
                return
            }
            for offset in 0..<UInt64(request.isSubmit ? choices : 1) {
                attachments[place, stream.rawValue + offset] = Attachment(connection: connection, next: request.from)
            }
        case .rejected(let number, _):
            asked[client.client][number] = nil
        case .tokens(let shared):
            for row in 0..<shared.value.rows {
                let stream = shared.value.streams[row]
                let first = Int(shared.value.firstIndexes[row])
                let attachment = attachments[place, stream]
                guard attachment.connection == connection, attachment.next == first else {
                    let expected = attachment.connection == connection ? "index \(attachment.next)" : "nothing"
                    broken(at: now, "client \(place) got index \(first) of stream \(stream), expected \(expected)")
                    return
                }
                attachments[place, stream].next = first + Int(shared.value.counts[row])
            }
        case .finished(let stream, _, let end):
            let attachment = attachments[place, stream.rawValue]
            guard attachment.connection == connection else { return }
            attachments[place, stream.rawValue].connection = 0
            guard end.reason != .cancelled, end.error?.code != .notFound else { return }
            let count = end.usage.completionTokens
            // A stream that is computed again may end badly before what the client has, or elsewhere on other numerics.
            let mayBeBehind = !end.reason.isSuccess || end.continuity == Continuity.none
            if attachment.next > count, mayBeBehind, derivedAgain.contains(stream.rawValue) { return }
            guard attachment.next != count else { return }
            broken(
                at: now,
                "client \(place) was told that stream \(stream) ended with \(count) tokens before index \(attachment.next)"
            )
        case .welcome, .done, .retried, .refused: break
        }
    }
}
