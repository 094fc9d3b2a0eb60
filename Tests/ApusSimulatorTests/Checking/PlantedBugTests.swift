import Testing

@testable import ApusSimulator

@Suite("Planted bugs")
struct PlantedBugTests {
    /// Bugs that need many seeds; `apus-sim --planted` tries them too.
    private static let rare: Set<PlantedBug> = [.staleEndsTaken, .timeIgnored, .lagNotExcused, .continuityEmbellished]

    @Test(arguments: PlantedBug.allCases.filter { !rare.contains($0) })
    func `A planted bug is noticed by a checker that is expected to`(bug: PlantedBug) {
        let outcome = PlantedRun(swarm: Swarm(), first: 1).run(bug)
        #expect(outcome.seed != nil)
        #expect(bug.catchers.contains(outcome.violation?.checker ?? ""))
    }

    @Test func `Every bug names checkers that there are`() {
        for bug in PlantedBug.allCases { #expect(Set(bug.catchers).isSubset(of: CheckerSet.names)) }
    }
}
