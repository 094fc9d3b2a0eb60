import ApusClient
import ApusModel
import ApusTestKit
import Foundation
import Testing

@testable import apus_bench

/// A coordinator whose disk fails: it promises nothing until the disk is back, and keeps what it promised.
@Suite(.serialized, .timeLimit(.minutes(3))) struct DiskFaultTests {
    private let ledger = ChaosLedger()
    private static let streams = 3
    private static let tokens = 1_200

    /// Submits some streams and waits until each has brought tokens.
    private func start(on client: ApusClient) async throws -> StreamEnds {
        let ends = StreamEnds(Self.streams)
        for number in 0..<Self.streams {
            let request = GenerationRequest(
                prompt: "disk \(number)",
                maximumTokens: Self.tokens,
                sampling: SamplingParameters(seed: UInt64(number)),
                durability: number == 0 ? .accepted : .released
            )
            let expected = ExpectedStream(simulated: request, choice: 0)
            let job = ChaosJob(key: "disk-\(number)", request: request, streams: [expected])
            let follower = ledger.open(job, choice: 0)
            let stream = try await client.submit(request, key: job.key) { [ledger] update in
                ClientLane.take(update, follower, ledger: ledger, ends: ends)
            }
            ledger.accepted(job.key, job: stream.job.description, mayDie: false, followers: [follower])
            while let next = ledger.nextIndex(of: follower), next < 20 { await nextTokens() }
        }
        return ends
    }

    private func nextTokens() async {
        await ledger.waitForEvent(isForAcceptance: false, atMost: .milliseconds(100))
    }

    /// Every token came once, in order and unchanged, and every stream ended.
    private func expectAll() {
        let totals = ledger.totals
        #expect(totals.violations == [])
        #expect(totals.tokens == Self.streams * Self.tokens)
        #expect(totals.streams == Self.streams)
        #expect(ledger.lostJobs() == [])
    }

    /// Waits until the coordinator knows that its disk fails, and sees that it keeps every promise and makes none.
    ///
    /// A full disk may have room again once the coordinator has tidied up after its first failure: `refill` takes that as well.
    private func expectStandstill(
        _ client: ApusClient,
        on cluster: TestCluster,
        refill: () throws -> Void = {}
    ) async throws {
        while try await client.status().journalStatus.failingMilliseconds < 300 { try refill() }
        // The answer came on the same connection as the tokens: what was released before it is here.
        let tokens = ledger.totals.tokens
        let submit = try cluster.run(["submit", "--output", "json", "--max-tokens", "5", "refused"])
        #expect(submit.status == 3)
        let error = try #require(try Self.object(submit.output))
        #expect(error["event"] as? String == "error")
        #expect(error["code"] as? String == "journal_unavailable")
        #expect((error["retry_after_ms"] as? Double ?? 0) > 0)
        let output = try cluster.run(["status", "--output", "json"]).output
        let journal = try #require(try Self.object(output)?["journal_status"] as? [String: Any])
        #expect((journal["failure"] as? String ?? "").isEmpty == false)
        #expect(cluster.coordinator.errors.lowercased().contains("journal"))
        #expect(ledger.totals.tokens == tokens, "tokens were released that are not on disk")
        #expect(tokens < Self.streams * Self.tokens, "the streams were over before the disk failed")
    }

    private static func object(_ text: String) throws -> [String: Any]? {
        let line = text.split(separator: "\n").first ?? ""
        return try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
    }

    private static func cluster(folder: String, environment: [String: String] = [:]) throws -> TestCluster {
        let endpoints = try TestCluster.fixedEndpoints()
        return try TestCluster(
            executable: TestCluster.program("apus", variable: "APUS"),
            clients: endpoints.clients,
            workers: endpoints.workers,
            data: folder,
            environment: environment
        )
    }

    private static func withClient(
        of cluster: TestCluster,
        _ body: (ApusClient) async throws -> Void
    ) async throws {
        try await ApusClient.withClient(ClientConfiguration(endpoint: cluster.clients, name: "test"), body)
    }

    @Test(arguments: FaultyDisk.Fault.allCases)
    func `While the disk fails nothing is promised, and when it is back every stream goes on`(
        _ fault: FaultyDisk.Fault
    ) async throws {
        let disk = try FaultyDisk()
        let cluster = try Self.cluster(folder: disk.folder, environment: disk.environment)
        let worker = try cluster.startSimulatedWorker(stepMicroseconds: 2_000)
        try await Self.withClient(of: cluster) { client in
            let ends = try await start(on: client)
            for _ in 0..<2 {
                try disk.fail(fault)
                try await expectStandstill(client, on: cluster)
                let tokens = ledger.totals.tokens
                try disk.recover()
                while ledger.totals.tokens == tokens { await nextTokens() }
            }
            await ends.wait()
            expectAll()
            #expect(try await client.status().journalStatus.failure == "")
            #expect(try cluster.run(["submit", "--max-tokens", "5", "taken again"]).status == 0)
        }
        withExtendedLifetime(worker) {}
    }

    @Test(arguments: FaultyDisk.Fault.allCases)
    func `A coordinator that is killed while its disk fails loses nothing that it promised`(
        _ fault: FaultyDisk.Fault
    ) async throws {
        let disk = try FaultyDisk()
        let cluster = try Self.cluster(folder: disk.folder, environment: disk.environment)
        let worker = try cluster.startSimulatedWorker(stepMicroseconds: 2_000)
        try await Self.withClient(of: cluster) { client in
            let ends = try await start(on: client)
            try disk.fail(fault)
            try await expectStandstill(client, on: cluster)
            cluster.coordinator.kill(SIGKILL)
            cluster.coordinator.waitForExit()
            try disk.recover()
            try cluster.restartCoordinator()
            await ends.wait()
            expectAll()
        }
        withExtendedLifetime(worker) {}
    }

    @Test(.enabled(if: SmallDisk.isPossible, "a small disk can't be mounted here; it takes root"))
    func `On a disk that is really full the same holds`() async throws {
        let disk = try SmallDisk(megabytes: 16)
        let cluster = try Self.cluster(folder: disk.folder + "/data")
        let worker = try cluster.startSimulatedWorker(stepMicroseconds: 2_000)
        try await Self.withClient(of: cluster) { client in
            let ends = try await start(on: client)
            try await expectStandstill(client, on: cluster) { try disk.fill() }
            try disk.free()
            await ends.wait()
            expectAll()
            cluster.coordinator.kill(SIGKILL)
            cluster.coordinator.waitForExit()
        }
        withExtendedLifetime(worker) {}
    }
}
