import ApusModel
import Testing

@testable import ApusCore

@Suite("Fairness")
struct FairnessTests {
    /// Clients that always have one stream waiting.
    private struct Backlog {
        var line = WaitingLine()
        var random: QueueRandom
        var next: UInt64 = 0

        init(seed: UInt64) {
            random = QueueRandom(seed: seed)
        }

        mutating func add(_ client: UInt64, _ priority: Priority = .normal, work: Int? = nil, weight: Int = 1) {
            next += 1
            let work = work ?? Int.random(in: 1...Int.random(in: 1...5_000, using: &random), using: &random)
            line.insert(.sample(next, client: client, priority: priority, work: work, weight: weight))
        }

        /// Takes a stream and lets its client wait with another.
        mutating func turn(work: Int? = nil) -> WaitingStream? {
            guard let stream = line.takeFirst() else { return nil }
            add(stream.client.rawValue, stream.priority, work: work, weight: stream.weight)
            return stream
        }
    }

    @Test("Two backlogged clients never differ by more than the largest charge", arguments: UInt64(1)...20)
    func bound(seed: UInt64) {
        var backlog = Backlog(seed: seed)
        let weights = [1, Int.random(in: 1...4, using: &backlog.random)]
        for client in 0..<2 { backlog.add(UInt64(client), weight: weights[client]) }
        var charged: [UInt64] = [0, 0]
        for _ in 0..<2_000 {
            guard let stream = backlog.turn() else { break }
            charged[Int(stream.client.rawValue)] += VirtualCounter.charge(work: stream.work, weight: stream.weight)
            let difference = max(charged[0], charged[1]) - min(charged[0], charged[1])
            #expect(difference <= backlog.line.largestCharge(in: .normal))
        }
        #expect(charged.allSatisfy { $0 > 0 })
    }

    @Test(
        "With settlements, they differ by no more than that and the corrections of a full house",
        arguments: UInt64(1)...20
    )
    func boundWithSettlements(seed: UInt64) {
        let slots = 8
        var backlog = Backlog(seed: seed)
        for client in 0..<2 { backlog.add(UInt64(client)) }
        var served: [UInt64] = [0, 0]
        var running: [WaitingStream] = []
        var largestCorrection: UInt64 = 0
        for _ in 0..<3_000 {
            if running.count < slots, let stream = backlog.turn() { running.append(stream) }
            guard running.count == slots || Bool.random(using: &backlog.random) else { continue }
            let stream = running.remove(at: Int.random(in: running.indices, using: &backlog.random))
            let actual = Int.random(in: 1...2 * stream.work, using: &backlog.random)
            backlog.line.settle(stream, actual: actual)
            served[Int(stream.client.rawValue)] += UInt64(actual) * VirtualCounter.scale
            largestCorrection = max(largestCorrection, UInt64(abs(actual - stream.work)) * VirtualCounter.scale)
            let counters = (0..<2).compactMap { backlog.line.counter(of: ClientKey(rawValue: $0), in: .normal) }
            let bound = backlog.line.largestCharge(in: .normal) + UInt64(slots) * largestCorrection
            #expect(max(counters[0], counters[1]) - min(counters[0], counters[1]) <= bound)
        }
        let inFlight = UInt64(slots) * backlog.line.largestCharge(in: .normal)
        let bound = backlog.line.largestCharge(in: .normal) + UInt64(slots) * largestCorrection + inFlight
        #expect(max(served[0], served[1]) - min(served[0], served[1]) <= bound)
    }

    @Test("A client of weight 3 gets three times as much")
    func weights() {
        var backlog = Backlog(seed: 1)
        backlog.add(1, work: 100)
        backlog.add(2, work: 100, weight: 3)
        let taken = (0..<400).compactMap { _ in backlog.turn(work: 100)?.client.rawValue }
        #expect(abs(taken.count { $0 == 2 } - 300) <= 1)
    }

    @Test("Classes that all wait share 16 to 4 to 1, and the lowest is never passed over for long")
    func classes() {
        var backlog = Backlog(seed: 1)
        for priority in Priority.allCases { backlog.add(1, priority, work: 100) }
        let taken = (0..<2_100).compactMap { _ in backlog.turn(work: 100)?.priority }
        #expect(abs(taken.count { $0 == .high } - 1_600) <= 16)
        #expect(abs(taken.count { $0 == .normal } - 400) <= 4)
        #expect(abs(taken.count { $0 == .low } - 100) <= 1)
        let places = taken.indices.filter { taken[$0] == .low }
        #expect(zip(places, places.dropFirst()).allSatisfy { $1 - $0 <= 22 })
    }

    @Test("Many clients of a high class get no more than its share against one of a low class")
    func classOutweighsClients() {
        var backlog = Backlog(seed: 1)
        backlog.add(1, .low, work: 100)
        for client in 2...101 { backlog.add(UInt64(client), .high, work: 100) }
        let taken = (0..<1_700).compactMap { _ in backlog.turn(work: 100)?.priority }
        #expect(abs(taken.count { $0 == .low } - 100) <= 1)
    }

    @Test("A client that returns takes turns from then on and is owed nothing for its absence")
    func returningClient() {
        var backlog = Backlog(seed: 1)
        backlog.add(1, work: 100)
        for _ in 0..<1_000 { _ = backlog.turn(work: 100) }
        backlog.add(2, work: 100)
        let taken = (0..<100).compactMap { _ in backlog.turn(work: 100)?.client.rawValue }
        #expect(abs(taken.count { $0 == 2 } - 50) <= 1)
        #expect(zip(taken, taken.dropFirst()).allSatisfy { $0 != $1 })
    }

    @Test("A class that returns is owed nothing for its absence")
    func returningClass() {
        var backlog = Backlog(seed: 1)
        backlog.add(1, .low, work: 100)
        for _ in 0..<1_000 { _ = backlog.turn(work: 100) }
        backlog.add(1, .high, work: 100)
        let taken = (0..<170).compactMap { _ in backlog.turn(work: 100)?.priority }
        #expect(abs(taken.count { $0 == .low } - 10) <= 1)
    }

    @Test("A refund of work from before an absence does not lead below the lift")
    func refundAfterLift() {
        var line = WaitingLine()
        line.insert(.sample(1, client: 1, work: 10_000))
        let early = line.takeFirst()
        for stream in 2...200 {
            line.insert(.sample(UInt64(stream), client: 2, work: 1_000))
            _ = line.takeFirst()
        }
        line.insert(.sample(300, client: 2, work: 1_000))
        line.insert(.sample(301, client: 1, work: 1_000))
        let lifted = line.counter(of: ClientKey(rawValue: 1), in: .normal)
        if let early { line.settle(early, actual: 1) }
        #expect(line.counter(of: ClientKey(rawValue: 1), in: .normal) == lifted)
    }

    @Test("Clients with nothing waiting or in flight are forgotten, unless they took more than their share")
    func forgetting() {
        var line = WaitingLine()
        for client in 1...10_000 {
            line.insert(.sample(UInt64(client), client: UInt64(client), work: 100))
            if let stream = line.takeFirst() { line.settle(stream, actual: 100) }
        }
        #expect(line.clients(in: .normal) <= 1 + FairClass.restingClients)
        line.insert(.sample(20_000, client: 20_000, work: 1_000_000))
        line.insert(.sample(20_001, client: 20_000, work: 1))
        for _ in 0..<2 { _ = line.takeFirst() }
        #expect(line.clients(in: .normal) == 1)
    }

    @Test("A crowd that all took more than its share is kept up to a bound")
    func restingBound() {
        var line = WaitingLine()
        let crowd = UInt64(2 * FairClass.restingClients)
        for client in 1...crowd { line.insert(.sample(client, client: client, work: 100)) }
        var taken: [WaitingStream] = []
        while let stream = line.takeFirst() { taken.append(stream) }
        #expect(line.clients(in: .normal) == Int(crowd))
        for stream in taken { line.settle(stream, actual: 100) }
        #expect(line.clients(in: .normal) == FairClass.restingClients)
    }

    @Test("A stream that this line never charged owes only what it took beyond the prediction")
    func unknownClient() {
        var line = WaitingLine()
        line.settle(.sample(1, client: 1, work: 100), actual: 50)
        #expect(line.counter(of: ClientKey(rawValue: 1), in: .normal) == nil)
        line.settle(.sample(2, client: 1, work: 100), actual: 150)
        #expect(line.counter(of: ClientKey(rawValue: 1), in: .normal) == 50 * VirtualCounter.scale)
    }
}
