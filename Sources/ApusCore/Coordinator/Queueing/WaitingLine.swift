import ApusModel

/// The streams of one model that wait for a slot, in the order in which they get one.
///
/// Streams that lost their slot come first, by deadline. The rest is shared out twice, each time by `VirtualCounter`:
/// between the three priorities by their weights, so that the lowest is slowed and never stopped, and within one
/// between its clients, in `FairClass`. A client's own streams go by deadline, then by acceptance.
///
/// Every stream that was taken as an admission must be settled once, however it ends; one that waits again is inserted
/// with `isFailover`. A change costs O(log n), and memory follows the streams that wait or are in flight.
struct WaitingLine: Sendable {
    /// One priority.
    private struct Class: Sendable {
        let weight: Int
        var counter = VirtualCounter()
        var clients = FairClass()
    }

    private var failovers = SortedLine<WaitingStream>()

    /// By `Priority.place`.
    private var classes = Priority.allCases.map { Class(weight: $0.weight) }

    /// What a class that returns is lifted to: the counter of the class that was taken from last, before its charge.
    private var virtualTime: UInt64 = 0

    /// Streams that wait.
    private(set) var count = 0

    /// Token work of the streams that wait.
    private(set) var work = 0

    /// Nobody waits.
    init() {}

    var isEmpty: Bool { count == 0 }

    /// The stream that is next.
    var first: WaitingStream? { failovers.first ?? nextClass.flatMap { classes[$0].clients.first } }

    /// Lets a stream wait; one that waits already is a programmer's error.
    ///
    /// A class or a client of which none waited is lifted to the virtual time of those of which some do: time without
    /// work earns no claim.
    mutating func insert(_ stream: WaitingStream) {
        count += 1
        work += stream.work
        guard !stream.isFailover else { return failovers.insert(stream) }
        let place = stream.priority.place
        if classes[place].clients.isEmpty { classes[place].counter.lift(to: virtualTime) }
        classes[place].clients.insert(stream)
    }

    /// Takes out the next stream; for an admission, charges its class and its client with its work.
    mutating func takeFirst() -> WaitingStream? {
        guard let stream = failovers.popFirst() ?? takeAdmission() else { return nil }
        count -= 1
        work -= stream.work
        return stream
    }

    /// Takes out a stream that ended while it waits; one that does not wait is a programmer's error.
    mutating func remove(_ stream: WaitingStream) {
        let removed: WaitingStream
        if stream.isFailover {
            removed = failovers.remove(stream)
        } else {
            removed = classes[stream.priority.place].clients.remove(stream)
        }
        count -= 1
        work -= removed.work
    }

    /// Puts the true work of a stream that ended in the place of the prediction that was charged when it was taken.
    ///
    /// - Parameters:
    ///   - client: Whose stream it was.
    ///   - priority: Its class.
    ///   - weight: Its weight when it was taken.
    ///   - predicted: Its work when it was taken.
    ///   - actual: The tokens that it cost over all attempts' output, each token once.
    mutating func settle(client: ClientKey, priority: Priority, weight: Int, predicted: Int, actual: Int) {
        let place = priority.place
        let least = nextClass.map { classes[$0].counter.value }
        classes[place].counter.settle(predicted: predicted, actual: actual, weight: classes[place].weight)
        virtualTime = VirtualCounter.shifted(
            virtualTime,
            as: least,
            movedTo: nextClass.map { classes[$0].counter.value }
        )
        classes[place].clients.settle(client: client, weight: weight, predicted: predicted, actual: actual)
    }

    /// What a client was charged in a class, in units of `VirtualCounter`; `nil` for one that is forgotten.
    func counter(of client: ClientKey, in priority: Priority) -> UInt64? {
        classes[priority.place].clients.counter(of: client)
    }

    /// The largest charge of a single stream to a client of a class so far.
    func largestCharge(in priority: Priority) -> UInt64 { classes[priority.place].clients.largestCharge }

    /// What a class was charged, in units of `VirtualCounter`.
    func counter(of priority: Priority) -> UInt64 { classes[priority.place].counter.value }

    /// Clients that a class knows.
    func clients(in priority: Priority) -> Int { classes[priority.place].clients.clients }

    private mutating func takeAdmission() -> WaitingStream? {
        guard let place = nextClass, let stream = classes[place].clients.takeFirst() else { return nil }
        virtualTime = classes[place].counter.value
        _ = classes[place].counter.charge(work: stream.work, weight: classes[place].weight)
        return stream
    }

    /// The place of the class that is next: the least counter of those with waiting streams, the higher one of two.
    private var nextClass: Int? {
        var next: Int?
        for place in classes.indices where !classes[place].clients.isEmpty {
            if let found = next, classes[found].counter.value <= classes[place].counter.value { continue }
            next = place
        }
        return next
    }
}

extension Priority {
    /// The class's share of the slots while all classes wait.
    ///
    /// A step is a factor of four: the lowest class still gets one token in 21.
    var weight: Int {
        switch self {
        case .high: 16
        case .normal: 4
        case .low: 1
        }
    }

    /// The class's place in a table of `allCases`.
    fileprivate var place: Int {
        switch self {
        case .high: 0
        case .normal: 1
        case .low: 2
        }
    }
}
