import ApusModel
import DequeModule

/// Deadlines of unanswered requests, earliest first; those of answered ones are skipped as they come up.
///
/// Both lanes are filled with one constant timeout each, so their order of arrival is their order of expiry and no heap
/// is needed.
struct RequestDeadlines: Sendable {
    /// Which timeout a deadline comes from.
    enum Lane: Sendable {
        /// Waiting for a first connection.
        case connect
        /// Waiting for an answer.
        case answer
    }

    private struct Entry: Sendable {
        var at: Timestamp
        var request: UInt64
    }

    private var connect: Deque<Entry> = []
    private var answer: Deque<Entry> = []

    /// Adds a deadline, not earlier than others of its lane.
    mutating func insert(_ at: Timestamp, request: UInt64, lane: Lane) {
        switch lane {
        case .connect: connect.append(Entry(at: at, request: request))
        case .answer: answer.append(Entry(at: at, request: request))
        }
    }

    /// The earliest live deadline.
    ///
    /// - Parameter isLive: Whether the request still waits for exactly this deadline.
    /// - Returns: The request and its deadline; `nil` where no request waits.
    mutating func next(where isLive: (UInt64, Timestamp) -> Bool) -> (request: UInt64, at: Timestamp)? {
        while let first = connect.first, !isLive(first.request, first.at) { connect.removeFirst() }
        while let first = answer.first, !isLive(first.request, first.at) { answer.removeFirst() }
        let earliest = [connect.first, answer.first].compactMap { $0 }.min { $0.at < $1.at }
        return earliest.map { ($0.request, $0.at) }
    }
}
