import ApusCore
import ApusModel
import Testing

@testable import ApusSimulator

@Suite("The workload that policies are compared with")
struct PolicyWorkloadTests {
    private static let world = PolicyWorkload().configuration(seed: 5, load: 0.8, policy: .roundRobin)

    @Test func `The same seed gives the same jobs to every policy and every load`() {
        let workload = PolicyWorkload()
        let other = workload.configuration(seed: 5, load: 0.8, policy: .predictedFirstToken)
        #expect(Self.world.jobs.map(\.request) == other.jobs.map(\.request))
        #expect(Self.world.jobs.map(\.submittedAt) == other.jobs.map(\.submittedAt))
        #expect(Self.world.jobs.map(\.naturalLength) == other.jobs.map(\.naturalLength))
        let next = workload.configuration(seed: 6, load: 0.8, policy: .roundRobin)
        #expect(Self.world.jobs.map(\.submittedAt) != next.jobs.map(\.submittedAt))
    }

    @Test func `A run has the rate that is asked for and its jobs are in order`() {
        let jobs = Self.world.jobs
        #expect(jobs.count == PolicyWorkload().jobs)
        #expect(zip(jobs, jobs.dropFirst()).allSatisfy { $0.submittedAt <= $1.submittedAt })
        let seconds = Double((jobs.last?.submittedAt ?? 0) - 500_000_000) / 1e9
        let rate = Double(jobs.count) / seconds
        #expect(abs(rate / (0.8 * PolicyWorkload().capacity) - 1) < 0.001)
    }

    @Test func `Arrivals are burstier than a Poisson process`() {
        var counts: [Int64: Double] = [:]
        for job in Self.world.jobs { counts[job.submittedAt / 1_000_000_000, default: 0] += 1 }
        let seconds = Double((Self.world.jobs.last?.submittedAt ?? 0) / 1_000_000_000)
        let mean = Double(Self.world.jobs.count) / seconds
        let empty = max(0, seconds - Double(counts.count))
        let variance = (counts.values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } + empty * mean * mean) / seconds
        // A Poisson process has variance / mean = 1.
        #expect(variance / mean > 2)
    }

    @Test func `Lengths have the medians and the tails that are documented`() {
        let workload = PolicyWorkload()
        let lengths = Self.world.jobs.map(\.naturalLength).sorted()
        let median = Double(lengths[lengths.count / 2])
        #expect(abs(median / workload.outputMedian - 1) < 0.15)
        // Of a log-normal quantity with a deviation of 0.8, one in a hundred is more than exp(0.8 x 2.33) = 6.4 medians.
        let tail = Double(lengths[lengths.count * 99 / 100]) / median
        #expect((4.5...9).contains(tail))
        #expect(lengths.allSatisfy { (1...workload.longestOutput).contains($0) })
    }

    @Test func `Prompts share beginnings as Zipf's law says and nothing else`() {
        let workload = PolicyWorkload()
        var uses: [UInt64: Int] = [:]
        var keepers: [UInt64: Int] = [:]
        for job in Self.world.jobs {
            let blocks = PrefixBlocks.names(of: job.request.prompt, isRaw: job.request.isRaw)
            uses[blocks[0], default: 0] += 1
            for block in blocks { keepers[block, default: 0] += 1 }
        }
        #expect(uses.count <= workload.systemPrompts)
        let largest = Double(uses.values.max() ?? 0) / Double(Self.world.jobs.count)
        #expect(abs(largest - workload.systemPromptShares[0]) < 0.04)
        let shared = keepers.values.count { $0 > 1 }
        #expect(shared <= workload.systemPromptBlocks.reduce(0, +))
        #expect(Self.world.jobs.allSatisfy { $0.promptTokens * 4 == $0.request.prompt.utf8.count })
    }

    @Test func `Clients have their parts of the jobs`() {
        #expect(PolicyWorkload.clients.reduce(0) { $0 + $1.jobs } == 100)
        #expect(PolicyWorkload.clients.count { $0.isAlike } == 5)
        #expect(Self.world.settings.shares["double"] == 2)
        for client in PolicyWorkload.clients.indices {
            let part = Double(Self.world.jobs.count { $0.client == client }) / Double(Self.world.jobs.count)
            // Bursts make a client's part of a single run uncertain.
            #expect(abs(part - Double(PolicyWorkload.clients[client].jobs) / 100) < 0.15)
        }
    }
}
