import ApusModel
import Testing

@testable import ApusCore

/// Counts comparisons; used by one test on one thread.
private final class Tally: @unchecked Sendable {
    var comparisons = 0
}

private struct Counted: Comparable, Sendable {
    let value: Int
    let tally: Tally

    static func == (left: Counted, right: Counted) -> Bool { left.value == right.value }

    static func < (left: Counted, right: Counted) -> Bool {
        left.tally.comparisons += 1
        return left.value < right.value
    }
}

@Suite("Structures of the queue")
struct QueueStructureTests {
    @Test("A sorted line is a sorted set, for any history", arguments: UInt64(1)...20)
    func sortedLine(seed: UInt64) {
        var random = QueueRandom(seed: seed)
        var line = SortedLine<Int>()
        var naive: Set<Int> = []
        for step in 0..<3_000 {
            let isFilling = step / 1_000 != 1
            let value = Int.random(in: 0..<2_000, using: &random)
            if naive.contains(value) {
                if !isFilling || Bool.random(using: &random) {
                    #expect(line.remove(value) == value)
                    naive.remove(value)
                }
            } else if isFilling || Int.random(in: 0..<4, using: &random) == 0 {
                line.insert(value)
                naive.insert(value)
            } else {
                let least = naive.min()
                #expect(line.first == least)
                #expect(line.popFirst() == least)
                if let least { naive.remove(least) }
            }
            #expect(line.count == naive.count)
        }
        #expect(line.chunkSizes.allSatisfy { (1...SortedLine<Int>.chunkLimit).contains($0) })
        var drained: [Int] = []
        while let value = line.popFirst() { drained.append(value) }
        #expect(drained == naive.sorted())
        #expect(line.isEmpty)
    }

    @Test("A place heap gives the least rank, for any history", arguments: UInt64(1)...20)
    func placeHeap(seed: UInt64) {
        var random = QueueRandom(seed: seed)
        var heap = PlaceHeap<Int>()
        var naive: [Int: Int] = [:]
        for step in 0..<2_000 {
            let place = Int.random(in: 0..<60, using: &random)
            if Int.random(in: 0..<3, using: &random) > 0 {
                let rank = Int.random(in: 0..<1_000, using: &random) * 2_000 + step
                heap.set(place, to: rank)
                naive[place] = rank
            } else {
                heap.remove(place)
                naive[place] = nil
            }
            let least = naive.min { $0.value < $1.value }
            #expect(heap.first == least?.key)
            #expect(heap.firstRank == least?.value)
            #expect(heap.count == naive.count)
        }
    }

    @Test("100,000 elements in any order cost a few dozen comparisons each, in chunks that stay small")
    func sortedLineScales() {
        var random = QueueRandom(seed: 1)
        let tally = Tally()
        var line = SortedLine<Counted>()
        let values = (0..<100_000).shuffled(using: &random)
        for value in values { line.insert(Counted(value: value, tally: tally)) }
        #expect(tally.comparisons < 100_000 * 24)
        #expect(line.chunkSizes.allSatisfy { $0 <= SortedLine<Counted>.chunkLimit })
        #expect(line.chunkSizes.count < 100_000 / (SortedLine<Counted>.chunkLimit / 2) + 1)
        tally.comparisons = 0
        for value in values where value % 2 == 0 { _ = line.remove(Counted(value: value, tally: tally)) }
        #expect(tally.comparisons < 50_000 * 24)
        tally.comparisons = 0
        for value in 0..<50_000 { #expect(line.popFirst()?.value == 2 * value + 1) }
        #expect(tally.comparisons == 0)
    }

    @Test("100,000 elements in order cost one comparison each")
    func sortedLineAppends() {
        let tally = Tally()
        var line = SortedLine<Counted>()
        for value in 0..<100_000 { line.insert(Counted(value: value, tally: tally)) }
        #expect(tally.comparisons < 100_000)
        #expect(
            line.chunkSizes.count == (100_000 + SortedLine<Counted>.chunkLimit - 1) / SortedLine<Counted>.chunkLimit
        )
    }

    @Test("A place among 10,000 moves with a few dozen comparisons")
    func placeHeapScales() {
        var random = QueueRandom(seed: 1)
        let tally = Tally()
        var heap = PlaceHeap<Counted>()
        for place in 0..<10_000 {
            heap.set(place, to: Counted(value: .random(in: 0..<1_000_000, using: &random), tally: tally))
        }
        tally.comparisons = 0
        for _ in 0..<10_000 {
            let place = Int.random(in: 0..<10_000, using: &random)
            heap.set(place, to: Counted(value: .random(in: 0..<1_000_000, using: &random), tally: tally))
        }
        #expect(tally.comparisons < 10_000 * 32)
    }

    @Test("100,000 streams of 1,000 clients come and go, each once")
    func lineScales() {
        var random = QueueRandom(seed: 1)
        var line = WaitingLine()
        for stream in 0..<100_000 {
            let (client, deadline) = (
                UInt64.random(in: 0..<1_000, using: &random), Int64.random(in: 0..<9, using: &random)
            )
            line.insert(.sample(UInt64(stream), client: client, deadline: deadline))
        }
        #expect(line.count == 100_000)
        #expect(line.work == 10_000_000)
        var isTaken = [Bool](repeating: false, count: 100_000)
        while let stream = line.takeFirst() { isTaken[Int(stream.stream.rawValue)].toggle() }
        #expect(isTaken.allSatisfy { $0 })
        #expect(line.work == 0)
    }
}
