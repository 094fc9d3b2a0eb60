import ApusCore
import ApusModel
import Testing

@testable import ApusSimulator

@Suite("Directed scenarios")
struct ScenarioTests {
    @Test func `A worker killed at an index changes nothing but the number of attempts`() {
        let (report, world, _) = Scenario(workers: 2, lengths: [40])
            .when(.received(job: 0, index: 17), .killWorker(ofJob: 0))
            .run()
        #expect(report.violations.isEmpty)
        #expect(report.tokens == 40)
        #expect(world.ends.map(\.reason) == [.stop])
        #expect(world.ends.map(\.attempts) == [2])
        #expect(world.ends.map(\.continuity) == [.exact])
    }

    @Test func `A frozen worker comes back as a zombie and is fenced`() {
        let (report, world, story) = Scenario(workers: 2, lengths: [200])
            .when(.received(job: 0, index: 20), .freezeWorker(ofJob: 0, nanoseconds: 700_000_000))
            .run()
        #expect(report.violations.isEmpty)
        #expect(report.tokens == 200)
        #expect(world.ends.map(\.attempts) == [2])
        #expect(world.coordinator.machine.counters.stale > 0)
        #expect(story.contains { $0.contains("Revoke 1/1") })
    }

    @Test func `A hung worker loses its streams while it beats`() {
        let (report, world, _) = Scenario(workers: 2, lengths: [60])
            .when(.received(job: 0, index: 5), .hangWorker(ofJob: 0, nanoseconds: 4_000_000_000))
            .run()
        #expect(report.violations.isEmpty)
        #expect(report.tokens == 60)
        #expect(world.ends.map(\.attempts) == [2])
    }

    @Test func `A submit whose answer is lost is answered with the same job`() {
        let (report, world, story) = Scenario(workers: 1, lengths: [30])
            .when(.told(job: 0), .cutClient(0))
            .run()
        #expect(report.violations.isEmpty)
        #expect(world.acceptances == 1)
        #expect(story.count { $0.contains("-> coordinator: Submit") } == 2)
        #expect(world.ends.map(\.reason) == [.stop])
    }

    @Test func `A cancel that races the end leaves one end`() {
        for index in 0..<30 {
            let (report, world, _) = Scenario(workers: 1, lengths: [30])
                .when(.received(job: 0, index: index), .cancel(job: 0))
                .run()
            #expect(report.violations.isEmpty)
            #expect(world.ends.count == 1)
            if index < 10 { #expect(world.ends.map(\.reason) == [.cancelled]) }
        }
    }

    @Test func `A stalled client pauses its stream and loses nothing`() {
        let (report, world, _) = Scenario(workers: 1, lengths: [100], window: 8)
            .when(.received(job: 0, index: 10), .stallClient(0, nanoseconds: 2_000_000_000))
            .run()
        #expect(report.violations.isEmpty)
        #expect(report.virtualTime > .seconds(2))
        #expect(world.jobs[0].next == 100)
        #expect(world.ends.map(\.attempts) == [1])
    }

    @Test func `A client that dies comes back with its keys and gets everything`() {
        let (report, world, _) = Scenario(workers: 1, lengths: [50, 50])
            .when(.received(job: 1, index: 20), .killClient(0))
            .run()
        #expect(report.violations.isEmpty)
        #expect(world.acceptances == 2)
        #expect(world.jobs.map(\.next) == [50, 50])
    }

    @Test func `A job that kills its workers is given up`() {
        var scenario = Scenario(workers: 2, lengths: [30, 30])
        scenario.configuration.jobs[0].poisonedIndex = 3
        let (report, world, _) = scenario.run()
        #expect(!report.isLate)
        #expect(world.ends.count { $0.error?.code == .attemptsExhausted } == 1)
    }

    // MARK: - The journal

    /// A scenario whose jobs ask for a durability.
    private func scenario(_ durability: Durability) -> Scenario {
        var scenario = Scenario(workers: 1, lengths: [200])
        scenario.configuration.jobs[0].request.durability = durability
        return scenario
    }

    @Test func `A coordinator's death changes nothing for a job that asks for everything`() {
        let (report, world, _) = scenario(.released)
            .when(.received(job: 0, index: 50), .killCoordinator)
            .run()
        #expect(report.violations.isEmpty)
        #expect(world.acceptances == 1)
        #expect(world.ends.map(\.attempts) == [1])
    }

    @Test func `Tokens that died with their coordinator come again, and the client goes on where it was`() {
        let (report, world, story) = scenario(.accepted)
            .when(.received(job: 0, index: 50), .killCoordinator)
            .run()
        #expect(report.violations.isEmpty)
        #expect(world.acceptances == 1)
        #expect(world.ends.map(\.attempts) == [2])
        #expect(world.ends.map(\.continuity) == [.exact])
        #expect(world.ends.map(\.usage.completionTokens) == [200])
        #expect(story.contains { $0.contains("Assign 1/2 job 0, history 0") })
    }

    @Test func `A job that asks for nothing begins anew after its coordinator's death`() {
        let (report, world, story) = scenario(.none)
            .when(.received(job: 0, index: 50), .killCoordinator)
            .run()
        #expect(report.violations.isEmpty)
        #expect(story.contains { $0.contains("Rejected") && $0.contains("not_found") })
        // Nothing of the first one is left.
        #expect(world.acceptances == 1)
        #expect(world.ends.map(\.reason) == [.stop])
        #expect(world.jobs[0].next == 200)
    }

    @Test func `While the disk fails nothing is promised, and everything goes on when it works again`() {
        for kill in [false, true] {
            var scenario = scenario(.released)
                .when(.received(job: 0, index: 50), .failDisk(nanoseconds: 700_000_000))
                .when(.at(500_000_000), .cutClient(0))
            if kill { scenario = scenario.when(.at(600_000_000), .killCoordinator) }
            let (report, world, story) = scenario.run()
            #expect(report.violations.isEmpty)
            #expect(story.contains { $0.contains("stands still") })
            #expect(story.contains { $0.contains("Rejected") && $0.contains("journal_unavailable") })
            #expect(world.acceptances == 1)
            #expect(world.ends.map(\.reason) == [.stop])
            #expect(world.jobs[0].next == 200)
        }
    }
}
