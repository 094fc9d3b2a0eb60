import ApusModel
import HeapModule

/// The deadlines of all streams, earliest first; a stream that ended meanwhile is skipped when its turn comes.
struct DeadlineQueue: Sendable {
    private struct Deadline: Comparable {
        let moment: Timestamp
        let stream: StreamID

        static func < (left: Deadline, right: Deadline) -> Bool {
            (left.moment, left.stream) < (right.moment, right.stream)
        }
    }

    private var heap = Heap<Deadline>()

    /// Deadlines that are held, of ended streams too.
    var count: Int { heap.count }

    mutating func insert(_ stream: StreamID, at moment: Timestamp) {
        heap.insert(Deadline(moment: moment, stream: stream))
    }

    /// Takes out the next stream whose deadline is reached.
    mutating func popReached(by now: Timestamp) -> StreamID? {
        guard let first = heap.min, first.moment <= now else { return nil }
        return heap.popMin()?.stream
    }

    /// Drops the deadlines of streams that no longer need them.
    mutating func compact(keeping needs: (StreamID) -> Bool) {
        heap = Heap(heap.unordered.filter { needs($0.stream) })
    }
}
