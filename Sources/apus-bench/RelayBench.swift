import ApusClient
import ApusModel
import ApusTestKit
import ArgumentParser

/// Tokens a second through one coordinator beside a bare libzmq relay, and the time that Apus adds to a token.
struct RelayBench: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "relay",
        abstract: "Tokens a second through one coordinator, beside a bare libzmq relay in the same run."
    )

    @OptionGroup var options: BenchOptions
    @OptionGroup var workers: SimulatedWorkers

    @Option(help: "Streams beside each other, a run each.")
    var streams: [Int] = [1, 16, 64, 256, 1_024]

    @Option(help: "Tokens of a run.")
    var tokens = 4_000_000

    func measure(program: String, into figures: inout Figures) async throws {
        for count in streams {
            // The peer is measured before each run, so that both see the same machine.
            let bare = try BareRelay.run(tokens: tokens / 2, sources: workers.count)
            figures.add("bare relay, before \(count) streams", bare, "tokens/s")
            let outcome = try await throughput(of: count, program: program)
            let ratio = outcome.tokensPerSecond / bare
            figures.add("apus, \(count) streams", outcome.tokensPerSecond, "tokens/s")
            figures.add("apus / bare relay, \(count) streams", ratio, "x", goal: count >= 64 ? .atLeast(1) : nil)
            figures.add(
                "coordinator CPU, \(count) streams",
                outcome.coordinatorMicroseconds / 1_000 / (Double(outcome.tokens) / 1_000_000),
                "ms/million tokens"
            )
            // Read after the run, when every stream is still kept: its history is part of what it costs.
            figures.add(
                "coordinator memory per stream, \(count) streams",
                Double(outcome.coordinatorGrowthBytes) / Double(count) / 1_000,
                "kB"
            )
            figures.failures += outcome.failures
        }
        let added = try await AddedLatency.measure(on: try TestCluster(executable: program))
        figures.add("added per token, low load", milliseconds: added, goals: [50: .atMost(0.3), 99: .atMost(1.5)])
    }

    private func throughput(of streams: Int, program: String) async throws -> ClusterLoad.Outcome {
        let cluster = try TestCluster(executable: program)
        let started = try workers.start(on: cluster, streams: streams)
        let perStream = min(100_000, tokens / streams)
        let configuration = ClientConfiguration(endpoint: cluster.clients, name: "bench", creditWindow: 4_096)
        let outcome = try await ApusClient.withClient(configuration) { client in
            try await ClusterLoad(streams: streams, tokensPerStream: perStream).run(on: client)
        }
        withExtendedLifetime(started) {}
        return outcome
    }
}
