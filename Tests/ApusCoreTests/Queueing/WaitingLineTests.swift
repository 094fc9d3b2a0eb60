import ApusModel
import Testing

@testable import ApusCore

@Suite("Waiting line")
struct WaitingLineTests {
    private static func random(_ stream: UInt64, _ random: inout QueueRandom) -> WaitingStream {
        .sample(
            stream,
            client: UInt64.random(in: 1...6, using: &random),
            priority: Priority.allCases.randomElement(using: &random) ?? .normal,
            deadline: Int64.random(in: 0...20, using: &random),
            work: Int.random(in: 1...500, using: &random),
            weight: Int.random(in: 1...3, using: &random)
        )
    }

    @Test("Any history gives the order, the sums and the counters of the naive model", arguments: UInt64(1)...60)
    func naiveModel(seed: UInt64) {
        var random = QueueRandom(seed: seed)
        var line = WaitingLine()
        var naive = NaiveLine()
        var inFlight: [WaitingStream] = []
        let arrivals = Int.random(in: 2...6, using: &random)
        for step in 0..<250 {
            switch Int.random(in: 0..<12, using: &random) {
            case 0..<arrivals:
                let stream = Self.random(UInt64(step), &random)
                line.insert(stream)
                naive.insert(stream)
            case arrivals..<8:
                #expect(line.first == naive.first)
                let taken = line.takeFirst()
                #expect(taken == naive.takeFirst())
                if let taken { inFlight.append(taken) }
            case 8:
                guard let stream = naive.waiting.randomElement(using: &random) else { continue }
                line.remove(stream)
                naive.remove(stream)
                guard stream.isFailover else { continue }
                line.settle(stream, actual: stream.work)
                naive.settle(stream, actual: stream.work)
            case 9 where !inFlight.isEmpty:
                let stream = inFlight.remove(at: Int.random(in: inFlight.indices, using: &random)).failedOver
                line.insert(stream)
                naive.insert(stream)
            default:
                guard !inFlight.isEmpty else { continue }
                let stream = inFlight.remove(at: Int.random(in: inFlight.indices, using: &random))
                let actual = Int.random(in: 1...800, using: &random)
                line.settle(stream, actual: actual)
                naive.settle(stream, actual: actual)
            }
            #expect(line.count == naive.waiting.count)
            #expect(line.work == naive.waiting.reduce(0) { $0 + $1.work })
            for stream in naive.waiting where !stream.isFailover {
                let expected = naive[stream.priority].clients[stream.client]?.value
                #expect(line.counter(of: stream.client, in: stream.priority) == expected)
            }
        }
    }

    @Test("Failovers go first by deadline, then by number, whatever their class, and are not charged")
    func failoversFirst() {
        var line = WaitingLine()
        line.insert(.sample(1, priority: .high))
        line.insert(.sample(2, client: 2, priority: .low, deadline: 9, isFailover: true))
        line.insert(.sample(4, client: 2, priority: .high, deadline: 9, isFailover: true))
        line.insert(.sample(3, client: 3, priority: .normal, deadline: 5, isFailover: true))
        let order = (0..<4).compactMap { _ in line.takeFirst()?.stream.rawValue }
        #expect(order == [3, 2, 4, 1])
        #expect(line.counter(of: ClientKey(rawValue: 2), in: .low) == nil)
        #expect(line.counter(of: .low) == 0)
        #expect(line.isEmpty)
        #expect(line.work == 0)
        #expect(line.takeFirst() == nil)
    }

    @Test("A client's streams go by deadline, then by number, in whatever order they come")
    func earliestDeadlineFirst() {
        var line = WaitingLine()
        for (stream, deadline) in [(5, 3), (1, 7), (2, 3), (4, 1), (3, 7)] {
            line.insert(.sample(UInt64(stream), deadline: Int64(deadline)))
        }
        #expect((0..<5).compactMap { _ in line.takeFirst()?.stream.rawValue } == [4, 2, 5, 1, 3])
    }

    @Test("A stream that ends in the middle of 10,000 leaves the others' order as it was")
    func removalInTheMiddle() {
        var random = QueueRandom(seed: 3)
        var line = WaitingLine()
        let streams = (0..<10_000).map {
            WaitingStream.sample(UInt64($0), deadline: .random(in: 0...1_000, using: &random), work: $0 + 1)
        }
        for stream in streams { line.insert(stream) }
        let (removed, kept) = (streams.filter { $0.work % 3 == 0 }, streams.filter { $0.work % 3 != 0 })
        for stream in removed.shuffled(using: &random) { line.remove(stream) }
        #expect(line.count == kept.count)
        #expect(line.work == kept.reduce(0) { $0 + $1.work })
        var taken: [WaitingStream] = []
        while let stream = line.takeFirst() { taken.append(stream) }
        #expect(taken == kept.sorted())
        #expect(line.work == 0)
    }

    @Test("A name's key is the same in every process, and names differ")
    func clientKeys() {
        #expect(ClientKey(name: "alice").rawValue == 0xc5d1_556d_6677_4a5c)
        let keys = Set((0..<10_000).map { ClientKey(name: "client-\($0)") })
        #expect(keys.count == 10_000)
    }
}

extension WaitingLine {
    mutating func settle(_ stream: WaitingStream, actual: Int) {
        settle(
            client: stream.client,
            priority: stream.priority,
            weight: stream.weight,
            predicted: stream.work,
            actual: actual
        )
    }
}
