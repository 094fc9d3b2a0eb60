import ApusCore
import ApusModel
import Testing

@testable import ApusSimulator

@Suite("What is measured of a policy")
struct PolicyMeasurementTests {
    private static let jobs = [
        JobTimes(client: 0, submitted: 0, firstToken: 100, tokenTime: 10, ended: 1_000),
        JobTimes(client: 0, submitted: 500, firstToken: 300, tokenTime: 20, ended: 2_000),
        JobTimes(client: 1, submitted: 600, firstToken: 400, tokenTime: nil, ended: 1_000),
        JobTimes(client: 1, submitted: 700, firstToken: 2_000, tokenTime: 150, ended: 4_000),
        JobTimes(client: 2, submitted: 800, firstToken: 2_001, tokenTime: 5, ended: 5_000),
    ]

    @Test func `Percentiles are of the nearest rank`() {
        let values = (1...200).map(Double.init)
        #expect(PolicyMeasurement.percentile(50, of: values) == 100)
        #expect(PolicyMeasurement.percentile(99, of: values) == 198)
        #expect(PolicyMeasurement.percentile(100, of: values) == 200)
        #expect(PolicyMeasurement.percentile(99, of: [7]) == 7)
        #expect(PolicyMeasurement.percentile(50, of: []) == 0)
    }

    @Test func `Five jobs made by hand give the values worked out by hand`() {
        let measured = PolicyMeasurement(Self.jobs, objective: ServiceObjective(), alike: [0, 1])
        #expect(measured.jobs == 5)
        #expect(measured.firstTokenP50 == 400)
        #expect(measured.firstTokenP99 == 2_001)
        #expect(measured.tokenTimeP50 == 10)
        #expect(measured.tokenTimeP99 == 150)
        // Four jobs are good, the last is 1 ms late; the whole takes 5 s.
        #expect(abs(measured.goodput - 0.8) < 1e-12)
        // Mean times of 200 and 1,200 ms: 1,400² / (2 x (200² + 1,200²)).
        #expect(abs(measured.fairness - 1_960_000 / 2_960_000) < 1e-12)
    }

    @Test func `Jain's index is 1 where all fare alike and 1 of n where one has all`() {
        #expect(PolicyMeasurement.jain([3, 3, 3, 3]) == 1)
        #expect(PolicyMeasurement.jain([5, 0, 0, 0]) == 0.25)
        #expect(PolicyMeasurement.jain([]) == 1)
    }

    @Test func `A small run keeps all promises, repeats itself, and computes less than all prompts`() {
        var workload = PolicyWorkload()
        workload.jobs = 150
        workload.workers = 4
        for policy in PlacementPolicy.allCases {
            let run = PolicyRun(workload: workload, objective: .init(), seed: 3, load: 0.7, policy: policy)
            let outcome = run.run()
            #expect(outcome.problems.isEmpty)
            #expect(outcome.measurement == run.run().measurement)
            #expect(outcome.measurement.jobs == 135)
            #expect((0.1...0.9).contains(outcome.measurement.hitRate))
        }
    }

    @Test func `Rows are the means of a load and a policy`() {
        var comparison = PolicyComparison(firstSeed: 1, seeds: 2)
        comparison.loads = [0.5, 0.9]
        let outcomes = comparison.runs.enumerated().map { place, _ in
            var measurement = PolicyMeasurement()
            measurement.goodput = Double(place)
            return PolicyRun.Outcome(measurement: measurement, problems: [])
        }
        let rows = comparison.rows(of: outcomes)
        #expect(rows.map(\.load) == [0.5, 0.5, 0.5, 0.9, 0.9, 0.9])
        #expect(rows.map(\.policy) == comparison.policies + comparison.policies)
        #expect(rows.map(\.mean.goodput) == [1.5, 2.5, 3.5, 7.5, 8.5, 9.5])
    }
}
