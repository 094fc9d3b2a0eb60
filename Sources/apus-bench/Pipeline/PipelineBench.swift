import ApusClient
import ApusModel
import ApusTestKit
import ArgumentParser

/// One worker with coordinator and client beside llama.cpp's own batched loop: who generates and reads prompts faster.
///
/// Both programs take turns, several rounds long, so that both see the same machine; a ratio is the median of the rounds'.
struct PipelineBench: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "pipeline",
        abstract: "One real worker beside llama-batched-bench: generation, prompts, time to the first token."
    )

    @OptionGroup var options: BenchOptions
    @OptionGroup var worker: RealWorker
    @OptionGroup var peer: BatchedBench

    @Option(help: "Streams beside each other, a measurement each.")
    var streams: [Int] = [1, 4, 8, 16, 32]

    @Option(help: "Words of the prompts while generation is measured.")
    var promptWords = 64

    @Option(help: "Tokens that each stream generates.")
    var tokens = 128

    @Option(help: "Words of the prompts while prompts are measured.")
    var longWords = 512

    @Option(help: "Rounds; figures are medians.")
    var rounds = 3

    /// Tokens in a slot of the worker, and in a sequence of the peer.
    static let context = 1_024

    func validate() throws {
        guard let most = streams.max(), let least = streams.min(), (1...32).contains(least), most <= 32, rounds >= 1,
            tokens >= 8, (8...768).contains(promptWords), (8...768).contains(longWords), promptWords + tokens <= 512
        else {
            throw ValidationError("1 to 32 streams, prompts of 8 to 768 words and 8 tokens or more can be measured.")
        }
    }

    func measure(program: String, into figures: inout Figures) async throws {
        let cluster = try TestCluster(executable: program)
        // The peer's batch is as large as it is told; so is the worker's.
        let process = try worker.start(on: cluster, slots: 32, context: Self.context, further: ["--min-batch", "32"])
        let view = ProcessView(processID: process.processID)
        let configuration = ClientConfiguration(endpoint: cluster.clients, name: "bench")
        let measured = try await ApusClient.withClient(configuration) { client in
            let load = PipelineLoad(client: client, promptWords: promptWords, longWords: longWords, tokens: tokens)
            let lengths = try await load.warmUp()
            var peerLoad = PeerLoad(peer: peer, model: worker.modelPath, threads: worker.threads, idle: view)
            var table = PipelineRounds()
            for round in 0..<rounds {
                for count in streams {
                    let greedy = try await load.generation(streams: count, isSampled: false)
                    // The peer's sequences are as long as the streams were when all of them ran.
                    let length = lengths.short + greedy.tokensBefore
                    let base = try peerLoad.generation(prompt: length, tokens: tokens, streams: count)
                    let sampled = try await load.generation(streams: count, isSampled: true)
                    table.note(streams: count, base: base, greedy: greedy.speed, sampled: sampled.speed)
                }
                table.note(base: try peerLoad.prompts(of: lengths.long, count: 8), prompts: try await load.prompts(8))
                Progress.say("\(round + 1) of \(rounds) rounds")
            }
            return (table, peerLoad.idleShare, try await load.questions(streams: 8, rounds: rounds + 2))
        }
        let (table, idleShare, latency) = measured
        table.report(into: &figures)
        figures.add("worker's CPU while llama-batched-bench runs", idleShare * 100, "%", goal: .atMost(3))
        latency.report(into: &figures)
        withExtendedLifetime(process) {}
    }
}
