import ApusClient
import ApusModel
import ApusTestKit
import ArgumentParser
import Foundation

/// Very many streams beside each other: nothing lost, memory bounded.
struct StreamsBench: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "streams",
        abstract: "Ten thousand concurrent streams: every token checked, memory reported."
    )

    @OptionGroup var options: BenchOptions
    @OptionGroup var workers: SimulatedWorkers

    @Option(help: "Streams beside each other.")
    var streams = 10_000

    @Option(help: "Tokens of each stream.")
    var tokens = 200

    func measure(program: String, into figures: inout Figures) async throws {
        let cluster = try TestCluster(executable: program)
        let started = try workers.start(on: cluster, streams: streams, stepMicroseconds: 20_000)
        let configuration = ClientConfiguration(endpoint: cluster.clients, name: "bench")
        let (streams, tokens) = (streams, tokens)
        let (outcome, idle, busy, active) = try await ApusClient.withClient(configuration) { client in
            let idle = try await client.status()
            async let outcome = ClusterLoad(streams: streams, tokensPerStream: tokens, checksContent: true).run(
                on: client
            )
            var most = idle
            var active = 0
            // The coordinator's memory is sampled while the streams run.
            while true {
                let status = try await client.status()
                active = max(active, status.streams.active)
                if status.memoryBytes > most.memoryBytes { most = status }
                if status.streams.completed + status.streams.failed >= streams { break }
                try await Task.sleep(for: .milliseconds(100))
            }
            return (try await outcome, idle, most, active)
        }
        figures.add("streams that were active at once", Double(active), "streams", goal: .exactly(Double(streams)))
        let expected = Double(streams * tokens)
        figures.add("tokens received and checked", Double(outcome.tokens), "tokens", goal: .exactly(expected))
        figures.add("lost, repeated or wrong tokens", Double(outcome.failures.count), "streams", goal: .exactly(0))
        figures.add("tokens a second", outcome.tokensPerSecond, "tokens/s")
        figures.add("coordinator memory, idle", Double(idle.memoryBytes) / 1_000_000, "MB")
        figures.add("coordinator memory, most", Double(busy.memoryBytes) / 1_000_000, "MB")
        let perStream = Double(busy.memoryBytes - idle.memoryBytes) / Double(streams) / 1_000
        figures.add("coordinator memory per stream, history included", perStream, "kB")
        let workerMemory = outcome.status.workers.map { Double($0.memoryBytes) / 1_000_000 }.max() ?? 0
        figures.add("worker memory, most", workerMemory, "MB")
        figures.failures += outcome.failures
        withExtendedLifetime(started) {}
    }
}
