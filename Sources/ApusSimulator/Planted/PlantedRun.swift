import ApusCore
import ApusModel

/// Looks for the first seed in whose world a checker notices a planted bug.
public struct PlantedRun: Sendable {
    /// What became of a bug.
    public struct Outcome: Sendable {
        /// The bug.
        public let bug: PlantedBug

        /// So many seeds were run.
        public let seeds: Int

        /// The seed in whose world it was noticed; `nil` where it never was.
        public let seed: UInt64?

        /// What was noticed, by a checker that is expected to.
        public let violation: Violation?
    }

    /// Seeds that are run before a bug counts as unnoticed.
    public static let limit = 10_000

    private let swarm: Swarm
    private let first: UInt64

    /// Describes a run.
    ///
    /// - Parameters:
    ///   - swarm: What worlds are drawn from.
    ///   - first: The first seed.
    public init(swarm: Swarm, first: UInt64) {
        self.swarm = swarm
        self.first = first
    }

    /// Runs seeds until an expected checker notices the bug, and does not notice it in the same world without the bug.
    ///
    /// Isolation: none; runs of different bugs share nothing and may be beside each other.
    public func run(_ bug: PlantedBug) -> Outcome {
        for offset in 0..<Self.limit {
            let seed = first &+ UInt64(offset)
            let configuration = configuration(of: seed, for: bug)
            var world = World(configuration, planted: bug)
            let violations = world.run().violations.filter { bug.catchers.contains($0.checker) }
            guard let violation = violations.min(by: { $0.moment < $1.moment }) else { continue }
            var honest = World(configuration)
            guard !honest.run().violations.contains(where: { $0.checker == violation.checker }) else { continue }
            return Outcome(bug: bug, seeds: offset + 1, seed: seed, violation: violation)
        }
        return Outcome(bug: bug, seeds: Self.limit, seed: nil, violation: nil)
    }

    /// The world of a seed; one where clients compete for a single slot, for a bug that needs it.
    private func configuration(of seed: UInt64, for bug: PlantedBug) -> WorldConfiguration {
        var world = swarm.configuration(of: seed)
        guard bug == .shareEvaded, let worker = world.workers.first else { return world }
        let drawn = world.jobs
        world.faults = FaultMix()
        world.workers = [worker]
        world.workers[0].slots = 1
        world.clients = [ClientSpec(name: "early", window: 1_024), ClientSpec(name: "late", window: 1_024)]
        world.settings.admission = AdmissionLimits()
        world.jobs = (0..<80).map { place in
            var job = drawn[place % drawn.count]
            job.client = place / 40
            job.key = "k\(place)"
            job.request.sampling.topK = place + 1
            job.request.priority = .normal
            job.request.choices = 1
            job.request.deadline = nil
            job.submittedAt = Int64(place)
            job.promptTokens = 1
            job.poisonedIndex = nil
            return job
        }
        return world
    }
}
