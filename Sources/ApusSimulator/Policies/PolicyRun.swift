public import ApusCore

/// One run of one policy: a world without faults whose clients are watched.
public struct PolicyRun: Sendable {
    /// The jobs and workers.
    public var workload: PolicyWorkload

    /// What makes a job good.
    public var objective: ServiceObjective

    /// Decides on all jobs; the same for every policy, so that their runs can be compared in pairs.
    public var seed: UInt64

    /// The rate of the jobs, as a part of `PolicyWorkload.capacity`.
    public var load: Double

    /// The policy.
    public var policy: PlacementPolicy

    /// Describes a run.
    public init(
        workload: PolicyWorkload,
        objective: ServiceObjective,
        seed: UInt64,
        load: Double,
        policy: PlacementPolicy
    ) {
        self.workload = workload
        self.objective = objective
        self.seed = seed
        self.load = load
        self.policy = policy
    }

    /// What became of a run.
    public struct Outcome: Sendable {
        /// What the clients saw.
        public let measurement: PolicyMeasurement

        /// Promises that were broken, and jobs that did not end as they should; none, or the measurement is worth nothing.
        public let problems: [String]
    }

    /// Runs the world.
    ///
    /// Isolation: none; runs share nothing.
    public func run() -> Outcome {
        let configuration = workload.configuration(seed: seed, load: load, policy: policy)
        var world = World(configuration)
        let report = world.run()
        var problems = report.violations.map { "\($0.checker): \($0.message)" }
        if report.isLate { problems.append("the time was over before all jobs had ended") }
        let incomplete = zip(world.jobs, configuration.jobs).count { $0.next != $1.length }
        if incomplete > 0 { problems.append("\(incomplete) jobs are not complete") }
        let first = Int(Double(configuration.jobs.count) * workload.warmUp)
        let times = zip(world.jobs, configuration.jobs).dropFirst(first).compactMap { JobTimes($0, $1) }
        let alike = PolicyWorkload.clients.indices.filter { PolicyWorkload.clients[$0].isAlike }
        var measurement = PolicyMeasurement(times, objective: objective, alike: alike)
        let prompts = configuration.jobs.reduce(0) { $0 + $1.promptTokens }
        let computed = world.workers.reduce(0) { $0 + Int($1.prefilled) }
        measurement.hitRate = 1 - Double(computed) / Double(max(prompts, 1))
        return Outcome(measurement: measurement, problems: problems)
    }
}
