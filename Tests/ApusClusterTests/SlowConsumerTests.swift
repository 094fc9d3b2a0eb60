import ApusClient
import ApusModel
import ApusTestKit
import Testing

@Suite(.serialized, .timeLimit(.minutes(2))) struct SlowConsumerTests {
    @Test func `A reader that stands still pauses its stream and nobody else's`() async throws {
        let cluster = try TestCluster(executable: TestCluster.program("apus", variable: "APUS"))
        let worker = try cluster.startSimulatedWorker()
        let configuration = ClientConfiguration(endpoint: cluster.clients, name: "test", creditWindow: 64)
        try await ApusClient.withClient(configuration) { client in
            let still = try await client.submit(GenerationRequest(prompt: "still", maximumTokens: 5_000))
            let moving = try await client.submit(GenerationRequest(prompt: "moving", maximumTokens: 3_000))
            var count = 0
            for try await _ in moving.tokens { count += 1 }
            #expect(count == 3_000)
            let job = try #require(try await client.jobs(limit: 10).first { $0.job == still.job.description })
            // Nothing was read, so the stream is at most the client's window ahead.
            #expect(job.tokens <= 64)
            count = 0
            for try await token in still.tokens {
                #expect(token.index == count)
                count += 1
            }
            #expect(count == 5_000)
        }
        withExtendedLifetime(worker) {}
    }

    @Test func `Cancelling the task that reads cancels the job`() async throws {
        let cluster = try TestCluster(executable: TestCluster.program("apus", variable: "APUS"))
        let worker = try cluster.startSimulatedWorker(stepMicroseconds: 2_000)
        try await ApusClient.withClient(ClientConfiguration(endpoint: cluster.clients, name: "test")) { client in
            let (started, start) = AsyncStream.makeStream(of: Void.self)
            let reader = Task {
                let stream = try await client.submit(GenerationRequest(prompt: "x", maximumTokens: 5_000))
                for try await _ in stream.tokens { start.yield() }
            }
            for await _ in started { break }
            reader.cancel()
            _ = await reader.result
            while try await client.status().streams.cancelled == 0 {}
            #expect(try await client.status().streams.active == 0)
        }
        withExtendedLifetime(worker) {}
    }
}
