import ApusClient
import ApusModel
import ApusTestKit
import Foundation
import Testing

/// A worker with the real model in a control group whose limit the kernel enforces: it gives up what it can, and recovers.
@Suite(.serialized, .timeLimit(.minutes(3))) struct MemoryLimitTests {
    private static let isPermitted = MemoryGroup("apus-probe-\(getpid())") != nil

    let cluster: TestCluster

    init() throws {
        cluster = try TestCluster(executable: TestCluster.program("apus", variable: "APUS"))
    }

    /// Starts a worker that joins the group before it is one.
    private func startWorker(in group: MemoryGroup) throws -> ServerProcess {
        let script = "echo $$ >'\(group.membersFile)' && exec \"$@\""
        let arguments = [
            "worker", "--coordinator", cluster.workers, "--name", "limited", "--log-level", "notice", "--engine",
            "llama",
            "--threads", "2", "--slots", "4", "--context", "1024",
        ]
        let worker = try ServerProcess("/bin/sh", ["-c", script, "sh", cluster.executable] + arguments)
        _ = try worker.waitUntilReady()
        return worker
    }

    private func follow(_ stream: TokenStream) async throws -> (ids: [Int32], end: StreamEnd?) {
        var ids: [Int32] = []
        var end: StreamEnd?
        for try await event in stream {
            switch event {
            case .token(let token): ids.append(token.id.rawValue)
            case .finished(let finished): end = finished
            }
        }
        return (ids, end)
    }

    /// Asks for the status until a fact holds of the worker.
    private func wait(_ client: ApusClient, for fact: String, until holds: (WorkerStatus) -> Bool) async throws {
        let limit = ContinuousClock.now + .seconds(60)
        while true {
            let workers = try await client.status().workers
            if let worker = workers.first, holds(worker) { return }
            try #require(ContinuousClock.now < limit, "\(fact) has not come: \(workers)")
        }
    }

    @Test(.enabled(if: isPermitted, "no right to make a control group with a memory limit"))
    func `At its limit a worker drops its cache and takes no work, ends its streams, and comes back`() async throws {
        let group = try #require(MemoryGroup("apus-test-\(getpid())"))
        try group.limit(bytes: 16 << 30)
        let worker = try startWorker(in: group)
        let configuration = ClientConfiguration(endpoint: cluster.clients, name: "test", creditWindow: 8)
        try await ApusClient.withClient(configuration) { client in
            let story = (1...40).map { "\($0) swifts flew over the old town." }.joined(separator: " ")
            let request = GenerationRequest(prompt: story, isRaw: true, maximumTokens: 120)
            let undisturbed = try await follow(try await client.submit(request))
            try await wait(client, for: "a kept prompt") { $0.load.cacheBytes > 0 && $0.load.memory == "normal" }

            // It has its first tokens and stays in its slot, as nobody reads on.
            let running = try await client.submit(request)
            var events = running.makeAsyncIterator()
            guard case .token(let first) = try await events.next() else {
                Issue.record("no token came: \(String(describing: running.end))")
                return
            }
            var ids = [first.id.rawValue]

            // The limit comes down to what is in use, all but a thirtieth, and follows while the kernel takes cached files back.
            try await wait(client, for: "refusal") { worker in
                // The kernel may refuse a limit that it can't reach at once; the next look tries again.
                if worker.load.memory != "critical" { try? group.limit(bytes: group.usedBytes * 31 / 30) }
                return worker.load.isRefusing && worker.load.memory == "critical"
            }
            try await wait(client, for: "an empty cache") { $0.load.cacheBytes == 0 }

            // New work waits, and what runs goes on to the same end.
            let late = try await client.submit(GenerationRequest(prompt: "Later", isRaw: true, maximumTokens: 3))
            let status = try await client.status()
            #expect(status.streams.active == 1)
            #expect(status.streams.queued == 1)
            while let event = try await events.next() {
                if case .token(let token) = event { ids.append(token.id.rawValue) }
            }
            #expect(ids == undisturbed.ids)
            #expect(running.end?.reason == undisturbed.end?.reason)
            #expect(running.end?.attempts == 1)

            try group.limit(bytes: 16 << 30)
            try await wait(client, for: "relief") { !$0.load.isRefusing }
            let end = try await follow(late).end
            #expect(end?.reason == .length)
            #expect(end?.attempts == 1)
            #expect(try await client.status().streams.failed == 0)
        }
        #expect(worker.errors.contains("memory is critical"))
        worker.kill(SIGTERM)
        #expect(worker.waitForExit() == 0)
    }
}
