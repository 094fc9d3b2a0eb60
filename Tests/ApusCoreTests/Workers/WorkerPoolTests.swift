import ApusModel
import Testing

@testable import ApusCore

@Suite("Worker pool")
struct WorkerPoolTests {
    private struct Worker {
        var context = 0
        var fingerprint = Fingerprint(high: 0, low: 0)
        var standing = WorkerPool.Standing.absent

        var isConnected: Bool { standing != .absent }
        var isTrusted: Bool { standing == .vacant || standing == .full }
        var hasVacancy: Bool { standing == .vacant || standing == .probation }
    }

    private static func check(_ pool: WorkerPool, against workers: [Worker]) {
        let connected = workers.filter(\.isConnected)
        #expect(pool.connected == connected.count)
        #expect(pool.trusted == workers.count { $0.isTrusted })
        #expect(pool.vacant == workers.count { $0.standing == .vacant })
        #expect(pool.onProbation == workers.count { $0.standing == .probation })
        #expect(pool.largestContext == connected.filter { $0.standing != .unavailable }.map(\.context).max())
        for place in workers.indices { #expect(pool.standing(of: place) == workers[place].standing) }
        let fingerprints: [Fingerprint?] = [nil] + (0..<4).map { Fingerprint(high: 0, low: $0) }
        for context in [0, 2, 3, 5, 9] {
            let roomy = workers.indices.filter { workers[$0].isConnected && workers[$0].context >= context }
            let isTrusted = roomy.contains { workers[$0].isTrusted }
            for fingerprint in fingerprints {
                let expected = roomy.filter {
                    workers[$0].hasVacancy && workers[$0].isTrusted == isTrusted
                        && (fingerprint == nil || workers[$0].fingerprint == fingerprint)
                }
                let candidates = pool.candidates(contextTokens: context, fingerprint: fingerprint)
                let found = (0..<candidates.count).map { pool.worker($0, of: candidates) }
                #expect(found.sorted() == expected)
                let members = workers.indices.filter { pool.contains($0, in: candidates) }
                // A fingerprint that nobody has has no group to ask for membership.
                if candidates.count > 0 { #expect(members == expected) }
            }
        }
    }

    @Test("After any changes the pool agrees with a full scan", arguments: 1...8 as ClosedRange<UInt64>)
    func randomChanges(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var pool = WorkerPool()
        var workers = Array(repeating: Worker(), count: 24)
        let standings: [WorkerPool.Standing] = [.absent, .unavailable, .vacant, .full, .probation]
        for step in 0..<1_500 {
            let place = random.below(workers.count)
            // Mostly only the standing changes; seldom another process takes the place, with or without a goodbye.
            if workers[place].standing == .absent || random.below(8) == 0 {
                workers[place].context = [1, 2, 4, 8][random.below(4)]
                workers[place].fingerprint = Fingerprint(high: 0, low: UInt64(random.below(3)))
            }
            workers[place].standing = standings[random.below(standings.count)]
            pool.set(
                place,
                contextTokens: workers[place].context,
                fingerprint: workers[place].fingerprint,
                standing: workers[place].standing
            )
            if step % 10 == 0 { Self.check(pool, against: workers) }
        }
        for place in workers.indices {
            workers[place].standing = .absent
            pool.set(place, contextTokens: 0, fingerprint: Fingerprint(high: 9, low: 9), standing: .absent)
        }
        Self.check(pool, against: workers)
        #expect(!pool.hasVacancy)
    }

    @Test("Those in quarantine have slots for streams only while nobody trusted is connected")
    func probation() {
        var pool = WorkerPool()
        let print = Fingerprint(high: 1, low: 1)
        pool.set(0, contextTokens: 4, fingerprint: print, standing: .probation)
        #expect(pool.hasVacancy)
        pool.set(1, contextTokens: 4, fingerprint: print, standing: .full)
        #expect(!pool.hasVacancy)
        #expect(pool.candidates(contextTokens: 1).count == 0)
        pool.set(1, contextTokens: 4, fingerprint: print, standing: .unavailable)
        #expect(pool.hasVacancy)
        #expect(pool.candidates(contextTokens: 1).count == 1)
    }

    @Test("A trusted worker that is too small keeps nobody from one in quarantine that is not")
    func largeContext() {
        var pool = WorkerPool()
        let print = Fingerprint(high: 1, low: 1)
        pool.set(0, contextTokens: 8, fingerprint: print, standing: .probation)
        pool.set(1, contextTokens: 4, fingerprint: print, standing: .vacant)
        let candidates = pool.candidates(contextTokens: 8)
        #expect((0..<candidates.count).map { pool.worker($0, of: candidates) } == [0])
    }
}
