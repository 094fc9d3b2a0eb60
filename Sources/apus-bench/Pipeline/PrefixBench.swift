import ApusClient
import ApusModel
import ApusTestKit
import ArgumentParser

/// The time to the first token of prompts that share a long beginning, and whether their tokens stay the same.
///
/// Two workers get the same prompts in opposite orders: what is first, and so computed from its beginning, at one of them finds
/// its beginning computed at the other. Equal tokens then show that a found beginning changes nothing.
struct PrefixBench: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "prefix",
        abstract: "Time to the first token of prompts that share a long beginning, cold and warm."
    )

    @OptionGroup var options: BenchOptions
    @OptionGroup var worker: RealWorker

    @Option(help: "Words of the shared beginning.")
    var sharedWords = 1_000

    @Option(help: "Beginnings.")
    var beginnings = 4

    @Option(help: "Prompts with each beginning.")
    var prompts = 4

    func validate() throws {
        guard (8...1_400).contains(sharedWords), beginnings >= 1, prompts >= 2 else {
            throw ValidationError("A beginning of 8 to 1400 words and 2 prompts or more with each can be measured.")
        }
    }

    func measure(program: String, into figures: inout Figures) async throws {
        let forward = try await run(program: program, order: Array(0..<prompts))
        let backward = try await run(program: program, order: (0..<prompts).reversed())
        var (cold, warm): ([Double], [Double]) = ([], [])
        var (cached, hits, asked, different) = (0, 0, 0, 0)
        for (order, streams) in [(0, forward), (prompts - 1, backward)] {
            for (place, record) in streams.enumerated() {
                guard place % prompts != order else {
                    cold.append(record.firstToken)
                    continue
                }
                warm.append(record.firstToken)
                let found = record.end?.summary?.cachedTokens ?? 0
                asked += record.end?.usage.promptTokens ?? 0
                cached += found
                if found > 0 { hits += 1 }
            }
        }
        for (one, other) in zip(forward, backward) where one.ids != other.ids || one.utf8 != other.utf8 {
            different += 1
        }
        figures.add("first token, beginning computed", milliseconds: cold)
        figures.add("first token, beginning found", milliseconds: warm)
        figures.add("first token, computed / found", Figures.median(cold) / Figures.median(warm), "x")
        figures.add("prompts that found a beginning", Double(hits) / Double(warm.count) * 100, "%", goal: .exactly(100))
        figures.add("their prompt tokens that were found", Double(cached) / Double(asked) * 100, "%")
        figures.add("streams whose tokens changed", Double(different), "streams", goal: .exactly(0))
        if different > 0 { figures.failures.append("a found beginning changed the tokens of \(different) streams") }
    }

    /// Runs all prompts one after the other on a worker of its own.
    ///
    /// - Parameters:
    ///   - program: The `apus` command.
    ///   - order: The order of the prompts with one beginning.
    /// - Returns: What each prompt brought, by beginning and prompt.
    /// - Throws: What keeps it from running.
    private func run(program: String, order: [Int]) async throws -> [StreamRecord] {
        let cluster = try TestCluster(executable: program)
        let process = try worker.start(on: cluster, slots: 4, context: 2_048)
        let configuration = ClientConfiguration(endpoint: cluster.clients, name: "bench")
        let records = try await ApusClient.withClient(configuration) { client in
            // The first pass of a worker's life reads the weights from the disk.
            _ = try await StreamRecorder.run([request(beginning: beginnings, prompt: 0)], on: client)
            var records: [Int: StreamRecord] = [:]
            for beginning in 0..<beginnings {
                for prompt in order {
                    let streams = try await StreamRecorder.run(
                        [request(beginning: beginning, prompt: prompt)],
                        on: client
                    )
                    records[beginning * prompts + prompt] = streams[0]
                }
            }
            return records
        }
        withExtendedLifetime(process) {}
        return (0..<beginnings * prompts).compactMap { records[$0] }
    }

    private func request(beginning: Int, prompt: Int) -> GenerationRequest {
        let shared = Lexicon.text(words: sharedWords, seed: UInt64(9_000 + beginning))
        let own = Lexicon.text(words: 24, seed: UInt64(100 * beginning + prompt))
        return GenerationRequest(
            prompt: shared + ". " + own,
            isRaw: true,
            maximumTokens: 32,
            ignoresEndOfGeneration: true
        )
    }
}
