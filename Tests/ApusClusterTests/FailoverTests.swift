import ApusClient
import ApusEngine
import ApusModel
import ApusTestKit
import Foundation
import Testing

/// Workers that are really killed and really stopped, at moments that the stream itself chooses.
@Suite(.serialized, .timeLimit(.minutes(5))) struct FailoverTests {
    let cluster: TestCluster

    init() throws {
        cluster = try TestCluster(executable: TestCluster.program("apus", variable: "APUS"))
    }

    private func withClient(_ body: (ApusClient) async throws -> Void) async throws {
        // A window that small keeps a worker from running to the end of a stream before the test does something to it.
        let configuration = ClientConfiguration(endpoint: cluster.clients, name: "test", creditWindow: 64)
        try await ApusClient.withClient(configuration, body)
    }

    private func request(_ prompt: String, tokens: Int, deadline: Duration? = nil) -> GenerationRequest {
        GenerationRequest(
            prompt: prompt,
            isRaw: true,
            maximumTokens: tokens,
            sampling: SamplingParameters(seed: 11),
            deadline: deadline
        )
    }

    /// Follows a stream to its end, checks each token against the one true sequence, and does something before given indexes.
    private static func follow(
        _ stream: TokenStream,
        prompt: String,
        tokens: Int,
        before index: Int = -1,
        do disturb: () throws -> Void = {}
    ) async throws -> StreamEnd? {
        var next = 0
        var end: StreamEnd?
        for try await event in stream {
            switch event {
            case .token(let token):
                #expect(token.index == next)
                #expect(token.id == SimulatedEngine.token(seed: 11, prompt: prompt, index: next))
                next += 1
                if next == index { try disturb() }
            case .finished(let finished):
                end = finished
            }
        }
        #expect(next == tokens)
        #expect(end?.usage.completionTokens == tokens)
        return end
    }

    @Test func `A worker killed at any index is not noticed`() async throws {
        let tokens = 24
        var worker = try cluster.startSimulatedWorker(stepMicroseconds: 500)
        try await withClient { client in
            for index in 1...tokens {
                let prompt = "kill at \(index)"
                let stream = try await client.submit(request(prompt, tokens: tokens))
                let successor = try cluster.startSimulatedWorker(stepMicroseconds: 500)
                let end = try await Self.follow(stream, prompt: prompt, tokens: tokens, before: index) {
                    worker.kill(SIGKILL)
                    worker.waitForExit()
                }
                #expect(end?.reason == .length)
                #expect(end?.continuity != .consistent)
                // A stream that had ended by the time of the kill leaves the worker dead all the same.
                worker.kill(SIGKILL)
                worker.waitForExit()
                worker = successor
            }
            let status = try await client.status()
            #expect(status.streams.completed == tokens)
            #expect(status.streams.failed == 0)
        }
    }

    @Test func `A worker killed while it computes the prompt is not noticed`() async throws {
        // So long that the kill comes within it, however busy the machine is with other tests.
        let victim = try cluster.startSimulatedWorker(prefillMicroseconds: 2_000_000)
        try await withClient { client in
            let stream = try await client.submit(request("a prompt of several words", tokens: 3))
            while try await client.status().streams.active == 0 {}
            _ = try cluster.startSimulatedWorker()
            let successor = try cluster.startSimulatedWorker()
            victim.kill(SIGKILL)
            let end = try await Self.follow(stream, prompt: "a prompt of several words", tokens: 3)
            #expect(end?.continuity == .restart)
            #expect(end?.attempts == 2)
            withExtendedLifetime(successor) {}
        }
    }

    @Test func `A slow model is not taken for a hung one`() async throws {
        let workers = try (0..<2).map { _ in try cluster.startSimulatedWorker(prefillMicroseconds: 20_000) }
        try await withClient { client in
            // A chunk of 128 tokens: 2.6 s without a sign of progress, on machines that are busy with each other.
            let prompts = ["a", "b"].map { Array(repeating: $0, count: 128).joined(separator: " ") }
            let streams = [
                try await client.submit(request(prompts[0], tokens: 3)),
                try await client.submit(request(prompts[1], tokens: 3)),
            ]
            for (stream, prompt) in zip(streams, prompts) {
                let end = try await Self.follow(stream, prompt: prompt, tokens: 3)
                #expect(end?.reason == .length)
                #expect(end?.attempts == 1)
            }
            #expect(try await client.status().failovers == 0)
        }
        withExtendedLifetime(workers) {}
    }

    @Test func `A stopped worker is replaced, and fenced when it returns`() async throws {
        let victim = try cluster.startSimulatedWorker(name: "victim", stepMicroseconds: 2_000)
        try await withClient { client in
            let stream = try await client.submit(request("stop", tokens: 400))
            let successor = try cluster.startSimulatedWorker(name: "successor", stepMicroseconds: 500)
            let end = try await Self.follow(stream, prompt: "stop", tokens: 400, before: 10) { victim.kill(SIGSTOP) }
            #expect(end?.attempts == 2)
            #expect(end?.continuity == .exact)
            victim.kill(SIGCONT)
            while try await client.status().workers.first(where: { $0.name == "victim" })?.state != "ready" {}
            let next = try await client.submit(request("after", tokens: 5))
            _ = try await Self.follow(next, prompt: "after", tokens: 5)
            withExtendedLifetime(successor) {}
        }
    }

    @Test func `When all workers die the stream waits for a new one`() async throws {
        let victims = try (0..<2).map { _ in try cluster.startSimulatedWorker(stepMicroseconds: 2_000) }
        try await withClient { client in
            let stream = try await client.submit(request("all die", tokens: 60))
            var successor: ServerProcess?
            let end = try await Self.follow(stream, prompt: "all die", tokens: 60, before: 20) {
                for victim in victims {
                    victim.kill(SIGKILL)
                    victim.waitForExit()
                }
                successor = try cluster.startSimulatedWorker()
            }
            #expect(end?.reason == .length)
            #expect(end?.continuity == .exact)
            withExtendedLifetime(successor) {}
        }
    }

    @Test func `Without a worker within the deadline the stream ends with an explicit error`() async throws {
        try await withClient { client in
            let stream = try await client.submit(request("nobody", tokens: 5, deadline: .milliseconds(200)))
            let end = try await Self.follow(stream, prompt: "nobody", tokens: 0)
            #expect(end?.reason == .expired)
            #expect(end?.error?.code == .deadlineExceeded)
        }
    }

    @Test func `A job that was queued when its worker died is served by the next`() async throws {
        let victim = try cluster.startSimulatedWorker(slots: 1, stepMicroseconds: 5_000)
        try await withClient { client in
            let running = try await client.submit(request("running", tokens: 2_000))
            let queued = try await client.submit(request("queued", tokens: 5))
            #expect(try await client.status().streams.queued == 1)
            victim.kill(SIGKILL)
            let successor = try cluster.startSimulatedWorker(slots: 1)
            _ = try await Self.follow(queued, prompt: "queued", tokens: 5)
            _ = try await Self.follow(running, prompt: "running", tokens: 2_000)
            withExtendedLifetime(successor) {}
        }
    }

    @Test func `Streams go on while workers are killed one after the other`() async throws {
        var workers = try (0..<3).map { _ in try cluster.startSimulatedWorker(slots: 32, stepMicroseconds: 1_000) }
        let count = 24
        try await withClient { client in
            try await withThrowingTaskGroup { group in
                for number in 0..<count {
                    let prompt = "stream \(number)"
                    let stream = try await client.submit(request(prompt, tokens: 1_500))
                    group.addTask { _ = try await Self.follow(stream, prompt: prompt, tokens: 1_500) }
                }
                for _ in 0..<6 {
                    let fresh = try cluster.startSimulatedWorker(slots: 32, stepMicroseconds: 1_000)
                    workers.removeFirst().kill(SIGKILL)
                    workers.append(fresh)
                }
                try await group.waitForAll()
            }
            let status = try await client.status()
            #expect(status.streams.completed == count)
            #expect(status.failovers > 0)
        }
    }
}
