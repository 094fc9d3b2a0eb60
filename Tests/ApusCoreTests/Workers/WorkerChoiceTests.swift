import ApusModel
import Testing

@testable import ApusCore

@Suite("Choice of a worker")
struct WorkerChoiceTests {
    /// A pool with its workers' costs, in step.
    private struct Cluster {
        var pool = WorkerPool()
        var prefixes = PrefixIndex()
        var costs: [WorkerCost] = []

        init(_ count: Int, slots: Int = 8, context: Int = 4_096) {
            for place in 0..<count {
                costs.append(WorkerCost(name: WorkerName(unchecked: "worker-\(place)"), slots: slots))
                pool.set(place, contextTokens: context, fingerprint: Self.print(0), standing: .vacant)
            }
        }

        static func print(_ number: Int) -> Fingerprint { Fingerprint(high: 5, low: UInt64(number)) }

        mutating func lease(_ place: Int) {
            costs[place].leases += 1
            if costs[place].leases == costs[place].slots { stand(place, .full) }
        }

        mutating func release(_ place: Int) {
            costs[place].leases -= 1
            stand(place, .vacant)
        }

        mutating func stand(_ place: Int, _ standing: WorkerPool.Standing) {
            pool.set(
                place,
                contextTokens: pool.contextTokens(of: place),
                fingerprint: pool.fingerprint(of: place),
                standing: standing
            )
        }

        /// A worker that was seen to work at this pace.
        mutating func teach(_ place: Int, step: Double, prefill: Double) {
            var now = 0.0
            for report in 1...40 {
                let isPrefill = report > 20
                now += isPrefill ? 100 * prefill : step
                costs[place].pace.observed(
                    progress: UInt64(report),
                    prefilledTokens: UInt64(max(0, report - 20) * 100),
                    batchSize: isPrefill ? 0 : 1,
                    isBusy: true,
                    at: Timestamp(nanoseconds: Int64(now * 1e6))
                )
            }
        }
    }

    private static func query(
        _ stream: Int = 1,
        epoch: UInt32 = 1,
        tokens: Int = 200,
        blocks: [UInt64] = [],
        context: Int = 100,
        fingerprint: Fingerprint? = nil,
        avoiding: Int? = nil
    ) -> PlacementQuery {
        PlacementQuery(
            stream: StreamID(rawValue: UInt64(stream)),
            epoch: Epoch(rawValue: epoch),
            promptTokens: tokens,
            blocks: blocks,
            contextTokens: context,
            fingerprint: fingerprint,
            avoiding: avoiding
        )
    }

    private static func choose(
        _ query: PlacementQuery,
        _ cluster: Cluster,
        _ policy: PlacementPolicy = .predictedFirstToken
    ) -> Int? {
        var choice = WorkerChoice(policy: policy)
        return choice.choose(for: query, in: cluster.pool, prefixes: cluster.prefixes, costs: cluster.costs)
    }

    @Test("Every choice is one that a full scan allows, and none is missed", arguments: PlacementPolicy.allCases)
    func legality(policy: PlacementPolicy) {
        var random = SplitMix(seed: 11)
        for size in [1, 2, 5, 16, 17, 18, 40, 100] {
            var cluster = Cluster(size)
            var choice = WorkerChoice(policy: policy)
            var contexts = Array(repeating: 4_096, count: size)
            for stream in 0..<1_500 {
                let changed = random.below(size)
                contexts[changed] = [1_024, 2_048, 4_096][random.below(3)]
                let standings: [WorkerPool.Standing] =
                    stream < 750
                    ? [.absent, .unavailable, .vacant, .vacant, .full, .probation]
                    : [.absent, .unavailable, .probation, .probation]
                cluster.pool.set(
                    changed,
                    contextTokens: contexts[changed],
                    fingerprint: Cluster.print(random.below(3)),
                    standing: standings[random.below(standings.count)]
                )
                cluster.costs[changed].leases = random.below(8)
                cluster.prefixes.add([7, 8, 9], for: random.below(size))
                let query = Self.query(
                    stream,
                    blocks: random.below(2) == 0 ? [7, 8, 9] : [],
                    context: [1, 2_000, 4_000][random.below(3)],
                    fingerprint: random.below(2) == 0 ? Cluster.print(random.below(4)) : nil,
                    avoiding: random.below(3) == 0 ? random.below(size) : nil
                )
                let pool = cluster.pool
                let roomy = (0..<size).filter {
                    pool.standing(of: $0) != .absent && contexts[$0] >= query.contextTokens
                }
                let hasTrusted = roomy.contains { [.vacant, .full].contains(pool.standing(of: $0)) }
                var allowed = roomy.filter {
                    pool.standing(of: $0) == (hasTrusted ? .vacant : .probation) && $0 != query.avoiding
                }
                let equal = allowed.filter { pool.fingerprint(of: $0) == query.fingerprint }
                if !equal.isEmpty { allowed = equal }
                let chosen = choice.choose(
                    for: query,
                    in: pool,
                    prefixes: cluster.prefixes,
                    costs: cluster.costs
                )
                if let chosen { #expect(allowed.contains(chosen)) } else { #expect(allowed.isEmpty) }
            }
        }
    }

    @Test("Equal facts give an equal choice; another epoch looks at other workers")
    func deterministic() {
        let cluster = Cluster(1_000)
        var chosen = Set<Int>()
        for epoch in 1...50 as ClosedRange<UInt32> {
            let place = Self.choose(Self.query(epoch: epoch), cluster)
            #expect(place == Self.choose(Self.query(epoch: epoch), cluster))
            if let place { chosen.insert(place) }
        }
        #expect(chosen.count > 40)
    }

    @Test("An equal fingerprint wins even on a loaded worker, and gives way where it is full")
    func fingerprint() {
        var cluster = Cluster(40)
        cluster.pool.set(7, contextTokens: 4_096, fingerprint: Cluster.print(1), standing: .vacant)
        for _ in 0..<7 { cluster.lease(7) }
        #expect(Self.choose(Self.query(fingerprint: Cluster.print(1)), cluster) == 7)
        cluster.lease(7)
        let other = Self.choose(Self.query(fingerprint: Cluster.print(1)), cluster)
        #expect(other != nil && other != 7)
    }

    @Test("Among few workers the best of all is taken: less load, a shorter step, the first name")
    func order() {
        var cluster = Cluster(4)
        #expect(Self.choose(Self.query(), cluster) == 0)
        cluster.lease(0)
        #expect(Self.choose(Self.query(), cluster) == 1)
        cluster.teach(3, step: 1, prefill: 0.01)
        #expect(Self.choose(Self.query(), cluster) == 3)
        for place in 0..<4 { cluster.costs[place].pendingPrefillTokens = place == 2 ? 0 : 100_000 }
        #expect(Self.choose(Self.query(), cluster) == 2)
        #expect(Self.choose(Self.query(avoiding: 2), cluster) == 3)
    }

    @Test("A fast worker is preferred to an empty one as far as its speed makes up for its load")
    func speed() {
        var cluster = Cluster(2)
        cluster.teach(0, step: 5, prefill: 0.1)
        cluster.teach(1, step: 50, prefill: 1)
        for _ in 0..<3 { cluster.lease(0) }
        #expect(Self.choose(Self.query(), cluster) == 0)
        #expect(Self.choose(Self.query(), cluster, .leastLoaded) == 1)
        cluster.costs[0].pendingPrefillTokens = 10_000
        #expect(Self.choose(Self.query(), cluster) == 1)
    }

    @Test("A cached beginning wins while it saves more than the load costs", arguments: [2, 200])
    func cachedPrefix(size: Int) {
        let blocks = (1...20).map { UInt64($0) &* 0x9E37_79B9_7F4A_7C15 }
        var cluster = Cluster(size)
        for place in 0..<size { cluster.teach(place, step: 10, prefill: 0.5) }
        cluster.prefixes.add(blocks, for: 1)
        let query = Self.query(3, tokens: 3_000, blocks: blocks)
        for _ in 0..<6 { cluster.lease(1) }
        #expect(Self.choose(query, cluster) == 1)
        cluster.costs[1].pendingPrefillTokens = 5_000
        #expect(Self.choose(query, cluster) != 1)
        cluster.costs[1].pendingPrefillTokens = 0
        cluster.lease(1)
        cluster.lease(1)
        #expect(Self.choose(query, cluster) != 1)
    }

    @Test("Of many workers that share a beginning, not always the same ones are chosen")
    func sharedPrefix() {
        let blocks: [UInt64] = [11, 12, 13, 14]
        var cluster = Cluster(500, slots: 64)
        for place in 0..<500 { cluster.prefixes.add(blocks, for: place) }
        var loads = Array(repeating: 0, count: 500)
        for stream in 0..<5_000 {
            guard let place = Self.choose(Self.query(stream, tokens: 600, blocks: blocks), cluster) else { continue }
            cluster.lease(place)
            loads[place] += 1
        }
        #expect((loads.max() ?? 0) <= 13)
    }

    @Test("Draws keep the fullest worker near the mean, as a scan of all would", arguments: [100, 1_000, 5_000])
    func evenLoad(size: Int) {
        var cluster = Cluster(size, slots: 64)
        for stream in 0..<size * 8 {
            guard let place = Self.choose(Self.query(stream), cluster) else {
                Issue.record("no worker for stream \(stream)")
                return
            }
            cluster.lease(place)
        }
        // A scan gives 8; a single draw would give about 20 for 5,000 workers.
        let loads = cluster.costs.map(\.leases)
        #expect(loads.reduce(0, +) == size * 8)
        #expect((loads.max() ?? 0) <= 8 + 2)
    }

    @Test("A nearly full cluster is filled to its last slot")
    func lastSlot() {
        var cluster = Cluster(50, slots: 4)
        for stream in 0..<200 {
            guard let place = Self.choose(Self.query(stream), cluster) else {
                Issue.record("no worker for stream \(stream)")
                return
            }
            cluster.lease(place)
        }
        #expect(Self.choose(Self.query(200), cluster) == nil)
        cluster.release(33)
        #expect(Self.choose(Self.query(201), cluster) == 33)
        #expect(Self.choose(Self.query(201, avoiding: 33), cluster) == nil)
    }

    @Test("Round robin visits every worker in turn")
    func roundRobin() {
        let cluster = Cluster(30)
        var choice = WorkerChoice(policy: .roundRobin)
        let visited = (0..<60).map { stream in
            choice.choose(
                for: Self.query(stream),
                in: cluster.pool,
                prefixes: cluster.prefixes,
                costs: cluster.costs
            )
        }
        #expect(visited == Array(0..<30) + Array(0..<30))
    }

    @Test("Absurd numbers do not trap")
    func absurd() {
        var cluster = Cluster(3)
        cluster.costs[0].slots = 0
        cluster.costs[1].pendingPrefillTokens = .max
        cluster.costs[2].pendingPrefillTokens = .min
        var query = Self.query(tokens: .max)
        query.historyTokens = .max
        #expect(Self.choose(query, cluster) != nil)
        query.promptTokens = .min
        #expect(Self.choose(query, cluster) != nil)
    }
}
