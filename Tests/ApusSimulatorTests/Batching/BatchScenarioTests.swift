import ApusCore
import ApusModel
import ApusSimulator
import Testing

@Suite("Batching scenario")
struct BatchScenarioTests {
    @Test("A seed is one run")
    func determinism() {
        var scenario = BatchScenario()
        scenario.length = .seconds(40)
        for policy in BatchPolicy.allCases {
            #expect(scenario.run(policy, seed: 3) == scenario.run(policy, seed: 3))
        }
        #expect(scenario.run(.cost, seed: 3) != scenario.run(.cost, seed: 4))
    }

    @Test("Under a load that changes, cost keeps the target more often than aimd at the same throughput")
    func comparison() {
        let scenario = BatchScenario()
        let cost = scenario.mean(.cost, seeds: [1, 2, 3, 4])
        let aimd = scenario.mean(.aimd, seeds: [1, 2, 3, 4])
        for (policy, outcome) in [("cost", cost), ("aimd", aimd)] {
            let values = BatchOutcome.columns.map {
                "\($0.name) \(Int(outcome[keyPath: $0.path] * $0.scale * 10)) / 10"
            }
            print("\(policy): \(values.joined(separator: ", "))")
        }
        #expect(cost.kept > 0.93)
        #expect(cost.kept > aimd.kept + 0.05)
        #expect(cost.throughput > 0.98 * aimd.throughput)
        #expect(cost.goodput > 1.05 * aimd.goodput)
        #expect(cost.tokenTimeP99 < 0.8 * aimd.tokenTimeP99)
    }
}
