import ApusModel

@testable import ApusCore

/// What `WaitingLine` promises, by looking at everything each time.
struct NaiveLine {
    struct Counter {
        var value: UInt64 = 0
        var floor: UInt64 = 0
        var inFlight = 0

        mutating func lift(to level: UInt64) {
            if value < level { (value, floor) = (level, level) }
        }

        mutating func settle(from predicted: UInt64, to actual: UInt64) {
            value = max(floor, value + actual > predicted ? value + actual - predicted : 0)
        }
    }

    struct Lane {
        let weight: Int
        var own = Counter()
        var clients: [ClientKey: Counter] = [:]
        var last: UInt64 = 0
    }

    private(set) var waiting: [WaitingStream] = []
    private var lanes: [Priority: Lane] = [:]
    private var last: UInt64 = 0

    subscript(priority: Priority) -> Lane {
        get { lanes[priority] ?? Lane(weight: priority == .high ? 16 : priority == .normal ? 4 : 1) }
        set { lanes[priority] = newValue }
    }

    static func cost(_ work: Int, _ weight: Int) -> UInt64 { UInt64((work * 1_024 + weight - 1) / weight) }

    private func admissions(_ priority: Priority) -> [WaitingStream] {
        waiting.filter { !$0.isFailover && $0.priority == priority }
    }

    private var nextPriority: Priority? {
        Priority.allCases.filter { !admissions($0).isEmpty }.enumerated()
            .min { (self[$0.element].own.value, $0.offset) < (self[$1.element].own.value, $1.offset) }?.element
    }

    private func nextClient(_ priority: Priority) -> ClientKey? {
        admissions(priority).map(\.client)
            .min {
                (self[priority].clients[$0, default: Counter()].value, $0) < (
                    self[priority].clients[$1, default: Counter()].value, $1
                )
            }
    }

    private func least(_ priority: Priority) -> UInt64? {
        nextClient(priority).map { self[priority].clients[$0, default: Counter()].value }
    }

    private var least: UInt64? { nextPriority.map { self[$0].own.value } }

    var first: WaitingStream? {
        if let failover = waiting.filter(\.isFailover).min() { return failover }
        guard let priority = nextPriority, let client = nextClient(priority) else { return nil }
        return admissions(priority).filter { $0.client == client }.min()
    }

    mutating func insert(_ stream: WaitingStream) {
        let priority = stream.priority
        if !stream.isFailover {
            if admissions(priority).isEmpty { self[priority].own.lift(to: last) }
            if !admissions(priority).contains(where: { $0.client == stream.client }) {
                self[priority].clients[stream.client, default: Counter()].lift(to: self[priority].last)
            }
        }
        waiting.append(stream)
    }

    mutating func takeFirst() -> WaitingStream? {
        guard let stream = first else { return nil }
        if !stream.isFailover {
            let priority = stream.priority
            last = least ?? 0
            self[priority].last = least(priority) ?? 0
            self[priority].own.value += Self.cost(stream.work, self[priority].weight)
            self[priority].clients[stream.client, default: Counter()].value += Self.cost(stream.work, stream.weight)
            self[priority].clients[stream.client, default: Counter()].inFlight += 1
        }
        waiting.removeAll { $0 == stream }
        forget()
        return stream
    }

    mutating func remove(_ stream: WaitingStream) {
        waiting.removeAll { $0 == stream }
        forget()
    }

    mutating func settle(_ stream: WaitingStream, actual: Int) {
        let weight = self[stream.priority].weight
        let (oldLeast, oldLeastClient) = (least, least(stream.priority))
        self[stream.priority].own.settle(from: Self.cost(stream.work, weight), to: Self.cost(actual, weight))
        self[stream.priority].clients[stream.client, default: Counter()]
            .settle(from: Self.cost(stream.work, stream.weight), to: Self.cost(actual, stream.weight))
        self[stream.priority].clients[stream.client, default: Counter()].inFlight -= 1
        if let oldLeast, let least { last = UInt64(max(0, Int(last) + Int(least) - Int(oldLeast))) }
        if let oldLeastClient, let least = least(stream.priority) {
            let moved = Int(self[stream.priority].last) + Int(least) - Int(oldLeastClient)
            self[stream.priority].last = UInt64(max(0, moved))
        }
        forget()
    }

    private mutating func forget() {
        for priority in Priority.allCases {
            let busy = Set(admissions(priority).map(\.client))
            let time = self[priority].last
            self[priority].clients = self[priority].clients.filter {
                busy.contains($0.key) || $0.value.inFlight > 0 || $0.value.value > time
            }
        }
    }
}
