import ApusModel
import DequeModule

/// The jobs of which all streams ended, in the order of their ends, and how much they keep.
struct RetentionQueue: Sendable {
    private struct Ended {
        let first: StreamID
        let streams: Int
        let moment: Timestamp
        let tokens: Int
    }

    private var ended: Deque<Ended> = []
    private var tokens = 0

    /// Streams of these jobs.
    private(set) var streams = 0

    /// Adds a job, by the number of its first stream.
    mutating func append(_ first: StreamID, streams: Int, endedAt moment: Timestamp, tokens: Int) {
        ended.append(Ended(first: first, streams: streams, moment: moment, tokens: tokens))
        self.tokens += tokens
        self.streams += streams
    }

    /// Takes out the oldest job, if the number of streams, of tokens or its age is over the settings' bounds.
    mutating func popExcess(
        at now: Timestamp,
        keeping retention: Duration,
        _ settings: CoordinatorSettings
    ) -> StreamID? {
        guard let first = ended.first else { return nil }
        guard
            streams > settings.retainedStreams || tokens > settings.retainedTokens
                || now - first.moment > retention
        else { return nil }
        ended.removeFirst()
        tokens -= first.tokens
        streams -= first.streams
        return first.first
    }
}
