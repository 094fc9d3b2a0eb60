import ApusModel
import DequeModule

/// The ended streams in the order of their ends, and how much they keep.
struct RetentionQueue: Sendable {
    private struct Ended {
        let stream: StreamID
        let moment: Timestamp
        let tokens: Int
    }

    private var ended: Deque<Ended> = []
    private var tokens = 0

    /// Ended streams that are kept.
    var count: Int { ended.count }

    mutating func append(_ stream: StreamID, endedAt moment: Timestamp, tokens: Int) {
        ended.append(Ended(stream: stream, moment: moment, tokens: tokens))
        self.tokens += tokens
    }

    /// Takes out the oldest stream, if the number of streams, of tokens or its age is over the settings' bounds.
    mutating func popExcess(at now: Timestamp, settings: CoordinatorSettings) -> StreamID? {
        guard let first = ended.first else { return nil }
        guard
            ended.count > settings.retainedStreams || tokens > settings.retainedTokens
                || now - first.moment > settings.retention
        else { return nil }
        ended.removeFirst()
        tokens -= first.tokens
        return first.stream
    }
}
