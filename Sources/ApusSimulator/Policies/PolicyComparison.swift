public import ApusCore

/// All policies in the same worlds, at several loads.
public struct PolicyComparison: Sendable {
    /// The jobs and workers.
    public var workload = PolicyWorkload()

    /// What makes a job good.
    public var objective = ServiceObjective()

    /// The loads.
    public var loads = [0.7, 0.85, 0.95]

    /// The policies; the others are compared with the first one.
    public let policies: [PlacementPolicy] = [.roundRobin, .leastLoaded, .predictedFirstToken]

    /// The first seed.
    public var firstSeed: UInt64

    /// Worlds for each load and policy.
    public var seeds: Int

    /// Describes a comparison.
    public init(firstSeed: UInt64, seeds: Int) {
        self.firstSeed = firstSeed
        self.seeds = seeds
    }

    /// Every run, all policies of a load and a seed beside each other.
    public var runs: [PolicyRun] {
        loads.flatMap { load in
            (0..<seeds).flatMap { offset in
                policies.map { policy in
                    PolicyRun(
                        workload: workload,
                        objective: objective,
                        seed: firstSeed &+ UInt64(offset),
                        load: load,
                        policy: policy
                    )
                }
            }
        }
    }

    /// The means over the seeds.
    ///
    /// - Parameter outcomes: What became of `runs`, in their order.
    /// - Returns: One row for each load and policy, in their orders.
    public func rows(of outcomes: [PolicyRun.Outcome]) -> [PolicyRow] {
        precondition(outcomes.count == loads.count * seeds * policies.count, "an outcome for each run")
        return loads.indices.flatMap { load in
            policies.indices.map { policy in
                let own = (0..<seeds).map { outcomes[(load * seeds + $0) * policies.count + policy].measurement }
                return PolicyRow(load: loads[load], policy: policies[policy], mean: .mean(of: own))
            }
        }
    }
}

/// How a policy fared at a load.
public struct PolicyRow: Sendable {
    /// The rate of the jobs, as a part of `PolicyWorkload.capacity`.
    public let load: Double

    /// The policy.
    public let policy: PlacementPolicy

    /// The mean over the seeds.
    public let mean: PolicyMeasurement
}

extension PlacementPolicy {
    /// What tables call it.
    public var title: String {
        switch self {
        case .roundRobin: "round robin"
        case .leastLoaded: "least loaded"
        case .predictedFirstToken: "Apus"
        }
    }
}
