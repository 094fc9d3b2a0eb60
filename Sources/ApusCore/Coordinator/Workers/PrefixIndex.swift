/// Which worker of one model keeps the computed state of which prompt block.
///
/// Blocks carry the names of `PrefixBlocks.names(of:)`: a name stands for a block and all before it, so a worker that keeps a
/// block keeps those before it, and searches halve the chain instead of walking it. A worker that reports a block without the ones
/// before it makes its own prediction worse and nobody else's.
///
/// The contents come from peers and are bounded: what a worker reports beyond `blocksPerWorker`, or all workers together beyond
/// `blocksPerIndex`, is ignored. A block that is not known only costs a prediction.
struct PrefixIndex: Sendable {
    /// Blocks that are remembered of a worker: half a million tokens of context, about 150 KB.
    static let blocksPerWorker = 4_096

    /// Blocks that are remembered of all workers, counted for each worker that keeps them: about 40 MB.
    static let blocksPerIndex = 1 << 20

    /// The workers that keep a block, in order of place; nearly always one.
    private enum Keepers: Sendable {
        case one(Int32)
        case many([Int32])

        var count: Int {
            switch self {
            case .one: 1
            case .many(let workers): workers.count
            }
        }

        func contains(_ worker: Int32) -> Bool {
            switch self {
            case .one(let other): return other == worker
            case .many(let workers):
                let position = PrefixIndex.position(of: worker, in: workers)
                return position < workers.count && workers[position] == worker
            }
        }

        subscript(position: Int) -> Int {
            switch self {
            case .one(let worker): Int(worker)
            case .many(let workers): Int(workers[position])
            }
        }
    }

    private var keepers: [UInt64: Keepers] = [:]
    // By the worker's place. Their order reaches no result: it only decides in which order blocks of a lost worker are dropped.
    private var blocks: [Set<UInt64>] = []

    /// Blocks that are remembered, counted for each worker that keeps them.
    private(set) var count = 0

    /// An index without blocks.
    init() {}

    /// Takes note of blocks that a worker keeps from now on; known ones and those beyond a bound are ignored.
    mutating func add(_ names: [UInt64], for worker: Int) {
        guard !names.isEmpty else { return }
        while blocks.count <= worker { blocks.append([]) }
        for name in names {
            guard blocks[worker].count < Self.blocksPerWorker, count < Self.blocksPerIndex else { return }
            guard blocks[worker].insert(name).inserted else { continue }
            count += 1
            insert(Int32(worker), into: name)
        }
    }

    /// Takes note of blocks that a worker keeps no longer; unknown ones are ignored.
    mutating func remove(_ names: [UInt64], for worker: Int) {
        guard worker < blocks.count else { return }
        for name in names where blocks[worker].remove(name) != nil {
            count -= 1
            remove(Int32(worker), from: name)
        }
    }

    /// Forgets all blocks of a worker that is gone or began anew.
    mutating func removeAll(for worker: Int) {
        guard worker < blocks.count else { return }
        count -= blocks[worker].count
        for name in blocks[worker] { remove(Int32(worker), from: name) }
        blocks[worker] = []
    }

    /// How many leading blocks of a prompt any worker keeps.
    func knownDepth(of names: [UInt64]) -> Int {
        firstDepth(upTo: names.count) { keepers[names[$0]] != nil }
    }

    /// How many leading blocks of a prompt a worker keeps.
    ///
    /// - Parameters:
    ///   - names: The prompt's blocks.
    ///   - worker: The worker's place.
    ///   - known: What `knownDepth(of:)` found.
    /// - Returns: 0 up to `known`.
    func depth(of names: [UInt64], for worker: Int, known: Int) -> Int {
        guard known > 0, worker < blocks.count else { return 0 }
        // A block's list of keepers is asked by one stream after the other; a worker's own set would rarely be in a cache.
        return firstDepth(upTo: known) { keepers[names[$0]]?.contains(Int32(worker)) ?? false }
    }

    /// The workers that keep the most leading blocks of a prompt, deepest first.
    ///
    /// Where more workers keep the same blocks than are returned, `draw` decides where to begin among them, so that streams with a
    /// common beginning do not all see the same workers. Looks at most at `PrefixMatches.examined` workers.
    ///
    /// - Parameters:
    ///   - names: The prompt's blocks.
    ///   - known: What `knownDepth(of:)` found.
    ///   - draw: Any number; equal ones give equal answers.
    ///   - limit: The most workers to return; at most `PrefixMatches.capacity`.
    ///   - isWanted: Whether a worker may be returned.
    /// - Returns: Workers with at least one block.
    @inline(__always)
    func longestMatches(
        of names: [UInt64],
        known: Int,
        draw: UInt64,
        limit: Int = PrefixMatches.capacity,
        where isWanted: (Int) -> Bool
    ) -> PrefixMatches {
        var matches = PrefixMatches()
        var depth = known
        var seen = 0
        var examined = 0
        while depth > 0, let workers = keepers[names[depth - 1]] {
            let count = workers.count
            let start = Int(truncatingIfNeeded: draw % UInt64(count))
            var step = 0
            while step < count {
                guard examined < PrefixMatches.examined, matches.count < limit else { return matches }
                let worker = workers[start + step < count ? start + step : start + step - count]
                if !matches.contains(worker), isWanted(worker) { matches.append(worker, depth: depth) }
                examined += 1
                step += 1
            }
            // The next workers are where the chain has more keepers than here.
            seen = max(seen, count)
            depth = firstDepth(upTo: depth - 1) { (keepers[names[$0]]?.count ?? 0) > seen }
        }
        return matches
    }

    /// The number of leading places that meet a condition which, once it fails, fails for all that follow.
    @inline(__always)
    private func firstDepth(upTo end: Int, where holds: (Int) -> Bool) -> Int {
        var low = 0
        var high = end
        while low < high {
            let middle = (low + high) / 2
            if holds(middle) { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private mutating func insert(_ worker: Int32, into name: UInt64) {
        switch keepers.removeValue(forKey: name) {
        case nil:
            keepers[name] = .one(worker)
        case .one(let other):
            keepers[name] = .many(other < worker ? [other, worker] : [worker, other])
        case .many(var workers):
            workers.insert(worker, at: Self.position(of: worker, in: workers))
            keepers[name] = .many(workers)
        }
    }

    private mutating func remove(_ worker: Int32, from name: UInt64) {
        guard case .many(var workers) = keepers.removeValue(forKey: name) else { return }
        workers.remove(at: Self.position(of: worker, in: workers))
        keepers[name] = workers.count == 1 ? .one(workers[0]) : .many(workers)
    }

    /// Where a worker is, or would be, in a list in order of place.
    private static func position(of worker: Int32, in workers: [Int32]) -> Int {
        var low = 0
        var high = workers.count
        while low < high {
            let middle = (low + high) / 2
            if workers[middle] < worker { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
