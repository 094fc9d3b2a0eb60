/// Keeps the coordinator's picture of the kept text blocks true, change by change.
///
/// Several snapshots may hold the same block; it counts as kept until the last of them is gone. A block that comes and
/// goes between two reports isn't reported at all. Changes come in the order in which their blocks first changed.
struct CachedBlockLedger: Sendable {
    /// Snapshots that hold a block.
    private var references: [UInt64: Int] = [:]
    /// Blocks that the coordinator knows to be kept.
    private var reported: Set<UInt64> = []
    /// Blocks that may be other than reported, in order and each once.
    private var changed: [UInt64] = []
    private var isQueued: Set<UInt64> = []

    /// A ledger without blocks.
    init() {}

    /// Takes note of a snapshot's blocks.
    mutating func retain(_ names: [UInt64]) {
        for name in names {
            references[name, default: 0] += 1
            if references[name] == 1 { queue(name) }
        }
    }

    /// Takes note of a snapshot that is gone.
    ///
    /// - Parameter names: The blocks that it was retained with.
    mutating func release(_ names: [UInt64]) {
        for name in names {
            guard let count = references[name] else { continue }
            references[name] = count > 1 ? count - 1 : nil
            if count == 1 { queue(name) }
        }
    }

    /// Takes the next changes.
    ///
    /// - Parameter limit: How many at most.
    /// - Returns: Blocks that are kept now and weren't, and the other way round.
    mutating func takeChanges(limit: Int) -> (cached: [UInt64], evicted: [UInt64]) {
        var cached: [UInt64] = []
        var evicted: [UInt64] = []
        var taken = 0
        while taken < changed.count, cached.count + evicted.count < limit {
            let name = changed[taken]
            taken += 1
            isQueued.remove(name)
            if references[name] != nil {
                if reported.insert(name).inserted { cached.append(name) }
            } else if reported.remove(name) != nil {
                evicted.append(name)
            }
        }
        changed.removeFirst(taken)
        return (cached, evicted)
    }

    /// Forgets what was reported.
    ///
    /// - Parameter names: Every block that is kept, in the order in which they are to be reported again; repetitions do
    ///   no harm.
    mutating func reportAgain(_ names: [UInt64]) {
        reported.removeAll()
        changed.removeAll()
        isQueued.removeAll()
        for name in names { queue(name) }
    }

    private mutating func queue(_ name: UInt64) {
        if isQueued.insert(name).inserted { changed.append(name) }
    }
}
