import ApusModel

/// The connected workers of one model, indexed for placement.
///
/// Workers are named by their places, small dense numbers that their keeper gives; memory is a record for each place up to the
/// highest one that was ever set. Telling a change costs O(1) amortised beside the search of a shelf among the model's few
/// contexts; drawing any vacant worker, of any fingerprint and at least some context, costs as much.
struct WorkerPool: Sendable {
    /// Where a worker stands, as far as placement is concerned.
    enum Standing: Hashable, Sendable {
        /// Not connected.
        case absent
        /// Connected, but lost or draining: nothing goes there, and nothing waits for it.
        case unavailable
        /// Connected; `isTrusted` unless it is in quarantine, `hasVacancy` where a slot is free for a stream.
        case connected(isTrusted: Bool, hasVacancy: Bool)

        /// Trusted, with a free slot.
        static let vacant = Standing.connected(isTrusted: true, hasVacancy: true)
        /// Trusted, without a free slot.
        static let full = Standing.connected(isTrusted: true, hasVacancy: false)
        /// In quarantine, with a free slot.
        static let probation = Standing.connected(isTrusted: false, hasVacancy: true)
    }

    private struct Record {
        var standing = Standing.absent
        var contextTokens = 0
        var fingerprint = Fingerprint(high: 0, low: 0)
        var group = -1
        // Positions on the shelf of all workers and on that of the fingerprint's; meaningful with a free slot only.
        var position = 0
        var groupPosition = 0
    }

    private var records: [Record] = []
    private var shelves = ContextShelves()

    // Fingerprints of serving workers have a group; the groups of those that are gone are used again.
    private var groups: [ContextShelves] = []
    private var groupSizes: [Int] = []
    private var groupOf: [Fingerprint: Int] = [:]
    private var freeGroups: [Int] = []

    /// Workers that are connected.
    private(set) var connected = 0

    /// Workers that are connected and neither lost, nor draining, nor in quarantine.
    private(set) var trusted = 0

    /// Trusted workers with a free slot.
    private(set) var vacant = 0

    /// Workers in quarantine with a free slot.
    private(set) var onProbation = 0

    /// A pool without workers.
    init() {}

    /// The largest context of a connected worker that is neither lost nor draining; `nil` without one.
    var largestContext: Int? { shelves.largestContext }

    /// Whether a stream may find a slot: of a trusted worker, or, where no trusted one is connected, of one in quarantine.
    ///
    /// A stream that needs a large context may find none all the same.
    var hasVacancy: Bool { trusted > 0 ? vacant > 0 : onProbation > 0 }

    /// One more than the highest place that was ever set.
    var places: Int { records.count }

    /// Tells where a worker stands now.
    ///
    /// - Parameters:
    ///   - worker: Its place.
    ///   - contextTokens: Tokens that fit into one of its slots.
    ///   - fingerprint: Its fingerprint.
    ///   - standing: Where it stands; with `absent` the other values do not matter.
    mutating func set(_ worker: Int, contextTokens: Int, fingerprint: Fingerprint, standing: Standing) {
        while records.count <= worker { records.append(Record()) }
        let old = records[worker]
        if old.standing == standing, standing == .absent || isSame(old, contextTokens, fingerprint) { return }
        takeOff(worker)
        let isStaying = standing != .absent && old.standing != .absent && isSame(old, contextTokens, fingerprint)
        if isStaying, serves(old.standing) == serves(standing), isTrusted(old.standing) == isTrusted(standing) {
            records[worker].standing = standing
        } else {
            disconnect(worker)
            connect(worker, contextTokens, fingerprint, standing)
        }
        putOn(worker)
    }

    /// Whether a trusted worker with enough context is connected beside one, so that a stream can wait for it.
    func hasTrusted(contextTokens: Int, besides worker: Int) -> Bool {
        let isCounted =
            worker < records.count && isTrusted(records[worker].standing)
            && records[worker].contextTokens >= contextTokens
        return shelves.trusted(atLeast: contextTokens) > (isCounted ? 1 : 0)
    }

    /// Where a worker stands.
    func standing(of worker: Int) -> Standing { worker < records.count ? records[worker].standing : .absent }

    /// The context of a connected worker.
    func contextTokens(of worker: Int) -> Int { records[worker].contextTokens }

    /// The fingerprint of a connected worker.
    func fingerprint(of worker: Int) -> Fingerprint { records[worker].fingerprint }

    /// The workers among which a stream chooses: vacant, with enough context, and trusted unless no trusted one with enough
    /// context is connected.
    ///
    /// - Parameters:
    ///   - contextTokens: The context that they must have.
    ///   - fingerprint: The fingerprint that they must have; `nil` for any.
    /// - Returns: The set, by whose count and indexes `worker(_:of:)` draws.
    func candidates(contextTokens: Int, fingerprint: Fingerprint? = nil) -> Candidates {
        let isTrusted = shelves.trusted(atLeast: contextTokens) > 0
        var group: Int?
        if let fingerprint {
            guard let found = groupOf[fingerprint] else {
                return Candidates(count: 0, contextTokens: contextTokens, isTrusted: isTrusted, group: nil)
            }
            group = found
        }
        let count =
            if let group {
                groups[group].count(atLeast: contextTokens, isTrusted: isTrusted)
            } else {
                shelves.count(atLeast: contextTokens, isTrusted: isTrusted)
            }
        return Candidates(count: count, contextTokens: contextTokens, isTrusted: isTrusted, group: group)
    }

    /// A set of workers to choose from, valid until the pool changes.
    struct Candidates: Sendable {
        /// How many there are.
        let count: Int
        fileprivate let contextTokens: Int
        fileprivate let isTrusted: Bool
        fileprivate let group: Int?
    }

    /// One of the candidates, by an index below their count; the order follows from the order of changes, nothing else.
    func worker(_ index: Int, of candidates: Candidates) -> Int {
        if let group = candidates.group {
            return groups[group].worker(
                index,
                atLeast: candidates.contextTokens,
                isTrusted: candidates.isTrusted
            )
        }
        return shelves.worker(index, atLeast: candidates.contextTokens, isTrusted: candidates.isTrusted)
    }

    /// Whether a worker is one of the candidates.
    func contains(_ worker: Int, in candidates: Candidates) -> Bool {
        guard worker < records.count else { return false }
        let record = records[worker]
        return record.standing == .connected(isTrusted: candidates.isTrusted, hasVacancy: true)
            && record.contextTokens >= candidates.contextTokens
            && (candidates.group == nil || candidates.group == record.group)
    }

    private func isSame(_ record: Record, _ contextTokens: Int, _ fingerprint: Fingerprint) -> Bool {
        record.contextTokens == contextTokens && record.fingerprint == fingerprint
    }

    private func isTrusted(_ standing: Standing) -> Bool {
        if case .connected(true, _) = standing { true } else { false }
    }

    private func serves(_ standing: Standing) -> Bool {
        if case .connected = standing { true } else { false }
    }

    /// Counts a worker in; it isn't on a shelf yet.
    private mutating func connect(
        _ worker: Int,
        _ contextTokens: Int,
        _ fingerprint: Fingerprint,
        _ standing: Standing
    ) {
        guard standing != .absent else { return }
        connected += 1
        guard serves(standing) else {
            records[worker] = Record(standing: standing, contextTokens: contextTokens, fingerprint: fingerprint)
            return
        }
        let isTrusted = isTrusted(standing)
        let group = groupOf[fingerprint] ?? openGroup(fingerprint)
        groupSizes[group] += 1
        shelves.connect(contextTokens: contextTokens, isTrusted: isTrusted)
        groups[group].connect(contextTokens: contextTokens, isTrusted: isTrusted)
        if isTrusted { trusted += 1 }
        records[worker] = Record(
            standing: standing,
            contextTokens: contextTokens,
            fingerprint: fingerprint,
            group: group
        )
    }

    /// Counts a worker out; it is on no shelf any more.
    private mutating func disconnect(_ worker: Int) {
        let record = records[worker]
        guard record.standing != .absent else { return }
        connected -= 1
        records[worker] = Record()
        guard serves(record.standing) else { return }
        let isTrusted = isTrusted(record.standing)
        shelves.disconnect(contextTokens: record.contextTokens, isTrusted: isTrusted)
        groups[record.group].disconnect(contextTokens: record.contextTokens, isTrusted: isTrusted)
        groupSizes[record.group] -= 1
        if groupSizes[record.group] == 0 {
            groupOf[record.fingerprint] = nil
            freeGroups.append(record.group)
        }
        if isTrusted { trusted -= 1 }
    }

    private mutating func openGroup(_ fingerprint: Fingerprint) -> Int {
        let group: Int
        if let free = freeGroups.popLast() {
            group = free
        } else {
            group = groups.count
            groups.append(ContextShelves())
            groupSizes.append(0)
        }
        groupOf[fingerprint] = group
        return group
    }

    /// Puts a worker with a free slot on its shelves.
    private mutating func putOn(_ worker: Int) {
        guard case .connected(let isTrusted, true) = records[worker].standing else { return }
        let context = records[worker].contextTokens
        let group = records[worker].group
        records[worker].position = shelves.insert(worker, contextTokens: context, isTrusted: isTrusted)
        records[worker].groupPosition = groups[group].insert(worker, contextTokens: context, isTrusted: isTrusted)
        if isTrusted { vacant += 1 } else { onProbation += 1 }
    }

    /// Takes a worker with a free slot off its shelves.
    private mutating func takeOff(_ worker: Int) {
        let record = records[worker]
        guard case .connected(let isTrusted, true) = record.standing else { return }
        let context = record.contextTokens
        let moved = shelves.remove(at: record.position, contextTokens: context, isTrusted: isTrusted)
        records[moved].position = record.position
        let movedInGroup = groups[record.group]
            .remove(at: record.groupPosition, contextTokens: context, isTrusted: isTrusted)
        records[movedInGroup].groupPosition = record.groupPosition
        if isTrusted { vacant -= 1 } else { onProbation -= 1 }
    }
}
