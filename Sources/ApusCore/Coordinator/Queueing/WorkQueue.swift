import ApusModel
import DequeModule

/// The streams of one model that wait for a slot: those that lost a worker first, then in order of acceptance.
struct WorkQueue: Sendable {
    let model: ModelName
    private var failovers: Deque<StreamID> = []
    private var admissions: Deque<StreamID> = []

    init(model: ModelName) {
        self.model = model
    }

    /// Streams in the queue; ones that ended meanwhile count until they are taken out.
    var count: Int { failovers.count + admissions.count }

    /// Adds a stream behind those of its kind.
    mutating func append(_ stream: StreamID, isFailover: Bool) {
        if isFailover {
            failovers.append(stream)
        } else {
            admissions.append(stream)
        }
    }

    /// The stream that is next.
    var first: StreamID? { failovers.first ?? admissions.first }

    /// Takes the next stream out.
    mutating func removeFirst() {
        if failovers.popFirst() == nil { admissions.removeFirst() }
    }

    /// Drops the streams that no longer wait.
    mutating func compact(keeping waits: (StreamID) -> Bool) {
        failovers.removeAll { !waits($0) }
        admissions.removeAll { !waits($0) }
    }
}
