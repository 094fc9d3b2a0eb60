import Testing

@testable import ApusCore

@Suite("Prefix index")
struct PrefixIndexTests {
    /// Blocks of a tree of prompts: each name is a path, so that it stands for all before it.
    private static func chain(_ choices: [Int]) -> [UInt64] {
        var name: UInt64 = 17
        return choices.map { choice in
            name = (name ^ UInt64(choice &+ 1)) &* 0x9E37_79B9_7F4A_7C15
            name ^= name >> 29
            return name
        }
    }

    private static func depth(_ names: [UInt64], _ blocks: Set<UInt64>) -> Int {
        names.prefix { blocks.contains($0) }.count
    }

    private static func matches(
        _ index: PrefixIndex,
        _ names: [UInt64],
        draw: UInt64 = 0,
        where isWanted: (Int) -> Bool = { _ in true }
    ) -> [[Int]] {
        let found = index.longestMatches(
            of: names,
            known: index.knownDepth(of: names),
            draw: draw,
            where: isWanted
        )
        return (0..<found.count).map { [found.worker($0), found.depth($0)] }
    }

    @Test("After any changes depths and best workers agree with a full scan", arguments: 1...6 as ClosedRange<UInt64>)
    func randomChanges(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var index = PrefixIndex()
        var caches = Array(repeating: Set<UInt64>(), count: 12)
        var prompts: [[UInt64]] = []
        for _ in 0..<30 { prompts.append(Self.chain((0..<random.below(12)).map { _ in random.below(2) })) }
        for _ in 0..<2_000 {
            let worker = random.below(caches.count)
            let prompt = prompts[random.below(prompts.count)]
            switch random.below(10) {
            case 0:
                index.removeAll(for: worker)
                caches[worker] = []
            case 1...4:
                // What is evicted is a block and all that go on from it, as in a tree.
                let cut = random.below(prompt.count + 1)
                let gone = Set(prompts.filter { $0.starts(with: prompt.prefix(cut)) }.flatMap { $0.dropFirst(cut) })
                index.remove(gone.sorted(), for: worker)
                caches[worker].subtract(gone)
            default:
                index.add(prompt, for: worker)
                caches[worker].formUnion(prompt)
            }
            #expect(index.count == caches.reduce(0) { $0 + $1.count })
            let asked = prompts[random.below(prompts.count)]
            let depths = caches.map { Self.depth(asked, $0) }
            let known = index.knownDepth(of: asked)
            #expect(known == depths.max())
            for worker in caches.indices {
                #expect(index.depth(of: asked, for: worker, known: known) == depths[worker])
            }
            let found = Self.matches(index, asked, draw: random.next())
            #expect(found.allSatisfy { depths[$0[0]] == $0[1] })
            #expect(Set(found.map { $0[0] }).count == found.count)
            let best = depths.filter { $0 > 0 }.sorted(by: >).prefix(PrefixMatches.capacity)
            #expect(found.map { $0[1] } == Array(best))
        }
    }

    @Test("Equal draws find equal workers, whatever the order of reports; other draws spread")
    func deterministic() {
        let names = Self.chain([1, 1, 1])
        var forward = PrefixIndex()
        var backward = PrefixIndex()
        for worker in 0..<100 { forward.add(names, for: worker) }
        for worker in (0..<100).reversed() { backward.add(names.reversed(), for: worker) }
        var seen = Set<Int>()
        for draw in 0..<200 as Range<UInt64> {
            let found = Self.matches(forward, names, draw: draw)
            #expect(found == Self.matches(backward, names, draw: draw))
            #expect(found.count == PrefixMatches.capacity)
            seen.formUnion(found.map { $0[0] })
        }
        #expect(seen.count == 100)
    }

    @Test("Workers that are not wanted are passed over, but not without end")
    func passingOver() {
        let names = Self.chain([1, 2])
        var index = PrefixIndex()
        for worker in 0..<1_000 { index.add(names, for: worker) }
        #expect(Self.matches(index, names) { $0 == 31 } == [[31, 2]])
        #expect(Self.matches(index, names) { $0 == 32 } == [])
    }

    @Test("What one worker reports beyond the bound is ignored")
    func boundOfAWorker() {
        var index = PrefixIndex()
        index.add((0..<10_000).map { UInt64($0) }, for: 3)
        #expect(index.count == PrefixIndex.blocksPerWorker)
        index.add([77_777], for: 3)
        #expect(index.knownDepth(of: [77_777]) == 0)
        index.add([77_777], for: 4)
        #expect(index.knownDepth(of: [77_777]) == 1)
        index.removeAll(for: 3)
        #expect(index.count == 1)
    }

    @Test("What all workers report beyond the bound is ignored")
    func boundOfTheIndex() {
        var index = PrefixIndex()
        let names = (0..<PrefixIndex.blocksPerWorker).map { UInt64($0) }
        for worker in 0...PrefixIndex.blocksPerIndex / PrefixIndex.blocksPerWorker { index.add(names, for: worker) }
        #expect(index.count == PrefixIndex.blocksPerIndex)
    }

    @Test("Repeated, unknown and broken reports change nothing that they should not")
    func oddReports() {
        var index = PrefixIndex()
        let names = Self.chain([1, 2, 3])
        index.add(names + names, for: 0)
        index.add(names, for: 0)
        #expect(index.count == 3)
        index.remove([5, 6], for: 0)
        index.remove(names, for: 9)
        index.removeAll(for: 9)
        #expect(index.count == 3)
        // A block without the one before it: any answer will do, and none traps.
        index.remove([names[1]], for: 0)
        #expect(index.knownDepth(of: names) <= 3)
        _ = Self.matches(index, names)
    }
}
