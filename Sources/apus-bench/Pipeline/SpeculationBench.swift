import ApusClient
import ApusModel
import ApusTestKit
import ArgumentParser

/// Tokens a second with guessing ahead and without it, on texts that copy and on others; the tokens have to be the same.
struct SpeculationBench: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "speculation",
        abstract: "Tokens a second with speculation and without: copy-heavy texts, ordinary ones, under load."
    )

    @OptionGroup var options: BenchOptions
    @OptionGroup var worker: RealWorker

    @Option(help: "Rounds; ratios are medians.")
    var rounds = 5

    @Option(help: "The most tokens of a stream.")
    var tokens = 160

    @Option(help: "Streams beside each other under load, a measurement each.")
    var loads: [Int] = [8, 16]

    @Flag(help: "Print the texts that were generated.")
    var showsTexts = false

    func validate() throws {
        guard rounds >= 1, (16...512).contains(tokens), loads.allSatisfy({ (1...32).contains($0) }) else {
            throw ValidationError("1 round or more, 16 to 512 tokens, loads of 1 to 32 streams can be measured.")
        }
    }

    func measure(program: String, into figures: inout Figures) async throws {
        let cluster = try TestCluster(executable: program)
        let process = try worker.start(on: cluster, slots: max(16, loads.max() ?? 0), context: 1_024)
        let configuration = ClientConfiguration(endpoint: cluster.clients, name: "bench")
        let results = try await ApusClient.withClient(configuration) { client in
            var results: [(name: String, goal: Goal, comparison: SpeculationComparison)] = []
            for (name, prompts, goal) in [
                ("copy-heavy", CopyTexts.copying, Goal.atLeast(2)), ("ordinary", CopyTexts.ordinary, .atLeast(0.97)),
            ] {
                var comparison = SpeculationComparison(names: prompts.map(\.name))
                try await comparison.run(prompts.map { [request($0)] }, rounds: rounds, on: client)
                results.append(("1 stream, \(name)", goal, comparison))
                Progress.say("1 stream, \(name)")
            }
            for load in loads {
                let prompts = CopyTexts.copying + CopyTexts.ordinary
                let requests = (0..<load).map { stream in
                    // All streams are as long as each other, so that the load stays to the end.
                    var request = request(prompts[stream % prompts.count])
                    request.prompt = Lexicon.text(words: 4, seed: UInt64(stream)) + ".\n" + request.prompt
                    request.ignoresEndOfGeneration = true
                    request.stop = []
                    return request
                }
                var comparison = SpeculationComparison(names: [])
                try await comparison.run([requests], rounds: rounds, on: client)
                results.append(("\(load) streams, mixed", .atLeast(0.97), comparison))
                Progress.say("\(load) streams")
            }
            return results
        }
        for (name, goal, comparison) in results { comparison.report(name, goal: goal, into: &figures) }
        if showsTexts {
            for (name, _, comparison) in results {
                print("== \(name)\n\(comparison.texts.joined(separator: "\n--\n"))\n")
            }
        }
        withExtendedLifetime(process) {}
    }

    private func request(_ prompt: CopyTexts.Prompt) -> GenerationRequest {
        GenerationRequest(prompt: prompt.text, isRaw: true, maximumTokens: tokens, stop: prompt.stop)
    }
}
