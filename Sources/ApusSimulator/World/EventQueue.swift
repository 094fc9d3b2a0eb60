/// Something that happens at a moment of virtual time.
struct Event {
    /// What happens; `place` and `detail` say where.
    enum Kind: UInt8 {
        /// The coordinator may take a turn.
        case turn
        /// Messages of a worker's connection reach the coordinator.
        case workerToCoordinator
        /// Messages of the coordinator reach a worker.
        case coordinatorToWorker
        /// Messages of a client's connection reach the coordinator.
        case clientToCoordinator
        /// Messages of the coordinator reach a client.
        case coordinatorToClient
        /// The coordinator notices that a connection is gone.
        case coordinatorNoticesWorker
        case coordinatorNoticesClient
        /// A peer notices that its connection is gone.
        case workerNotices
        case clientNotices
        /// A peer connects.
        case workerConnects
        case clientConnects
        /// A worker's process begins.
        case workerStarts
        /// A worker's engine ends a step.
        case step
        /// A worker beats.
        case beat
        /// A worker that stood still goes on.
        case workerResumes
        /// A client submits a job, for the first time or again.
        case submit
        /// A client's process begins again.
        case clientStarts
        /// A client that granted no credit grants it again.
        case clientResumes
        /// A coordinator's process begins.
        case coordinatorStarts
        /// Something goes wrong.
        case fault
        /// A partition is long enough for a connection to be given up.
        case heartbeat
        /// A partition ends.
        case partitionEnds
        /// Faults are over.
        case heal
        /// A flapping connection is cut once more.
        case flap
        /// A directed action.
        case scripted
        /// The time for everything is over.
        case end
    }

    let time: Int64
    let sequence: UInt32
    let kind: Kind
    let place: Int32
    let detail: Int32
}

/// The events to come, earliest first; those of one moment in the order in which they were planned.
struct EventQueue {
    private var heap: [Event] = []
    private var planned: UInt32 = 0

    init() {
        heap.reserveCapacity(256)
    }

    /// Plans an event.
    mutating func insert(_ kind: Event.Kind, at time: Int64, place: Int = 0, detail: Int = 0) {
        planned += 1
        let event = Event(
            time: time,
            sequence: planned,
            kind: kind,
            place: Int32(truncatingIfNeeded: place),
            detail: Int32(truncatingIfNeeded: detail)
        )
        heap.append(event)
        heap.withUnsafeMutableBufferPointer { heap in
            var hole = heap.count - 1
            while hole > 0 {
                let parent = (hole - 1) >> 1
                guard Self.precedes(event, heap[parent]) else { break }
                heap[hole] = heap[parent]
                hole = parent
            }
            heap[hole] = event
        }
    }

    /// Takes the next event out.
    mutating func pop() -> Event? {
        guard let last = heap.popLast() else { return nil }
        guard !heap.isEmpty else { return last }
        return heap.withUnsafeMutableBufferPointer { heap in
            let first = heap[0]
            var hole = 0
            while true {
                var child = 2 * hole + 1
                guard child < heap.count else { break }
                if child + 1 < heap.count, Self.precedes(heap[child + 1], heap[child]) { child += 1 }
                guard Self.precedes(heap[child], last) else { break }
                heap[hole] = heap[child]
                hole = child
            }
            heap[hole] = last
            return first
        }
    }

    @inline(__always)
    private static func precedes(_ left: Event, _ right: Event) -> Bool {
        left.time < right.time || (left.time == right.time && left.sequence < right.sequence)
    }
}
