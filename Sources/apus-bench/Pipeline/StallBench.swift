import ApusClient
import ApusModel
import ApusTestKit
import ArgumentParser

/// What running streams notice of a long prompt that arrives: their time between tokens with it and without it.
struct StallBench: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "stall",
        abstract: "The time between tokens while a long prompt arrives, beside the time without."
    )

    @OptionGroup var options: BenchOptions
    @OptionGroup var worker: RealWorker

    @Option(help: "Streams that run, a measurement each.")
    var streams: [Int] = [8, 16]

    @Option(help: "Words of the long prompt.")
    var longWords = 1_500

    @Option(help: "Long prompts of a measurement, with a quiet time before or after each.")
    var rounds = 5

    /// Tokens of each stream before anything is measured.
    private static let runIn = 16

    /// Tokens of each stream in a quiet time.
    private static let quietTokens = 60

    func validate() throws {
        guard streams.allSatisfy({ (1...32).contains($0) }), (8...1_900).contains(longWords), rounds >= 1 else {
            throw ValidationError(
                "1 to 32 streams, a long prompt of 8 to 1900 words and 1 round or more can be measured."
            )
        }
    }

    func measure(program: String, into figures: inout Figures) async throws {
        let cluster = try TestCluster(executable: program)
        let slots = (streams.max() ?? 0) + 1
        let process = try worker.start(
            on: cluster,
            slots: slots,
            context: 2_048,
            further: ["--min-batch", "\(slots)"]
        )
        let configuration = ClientConfiguration(endpoint: cluster.clients, name: "bench")
        let results = try await ApusClient.withClient(configuration) { client in
            var results: [(streams: Int, result: Result)] = []
            for count in streams {
                var result = Result()
                for round in 0..<rounds {
                    try await measure(streams: count, round: round, on: client, into: &result)
                }
                results.append((count, result))
                Progress.say("\(count) streams measured")
            }
            return results
        }
        for (count, result) in results { result.report(streams: count, into: &figures) }
        withExtendedLifetime(process) {}
    }

    private func measure(streams: Int, round: Int, on client: ApusClient, into result: inout Result) async throws {
        let recorder = StreamRecorder(client)
        var jobs: [JobID] = []
        for stream in 0..<streams {
            let seed = UInt64(1_000 * streams + 100 * round + stream)
            jobs.append(try await recorder.submit(Self.request(words: 30, tokens: 1_200, seed: seed)).job)
        }
        await recorder.waitForTokens(Self.runIn, of: 0..<streams)
        // Before in one round, after in the next: the longer a stream, the slower its tokens.
        if round.isMultiple(of: 2) { await quietTime(of: streams, recorder, into: &result) }
        let long = try await recorder.submit(
            Self.request(words: longWords, tokens: 1, seed: UInt64(500_000 + 1_000 * streams + round))
        )
        await recorder.waitForTokens(1, of: long.number..<long.number + 1)
        let records = try recorder.checked()
        guard let first = records[long.number].arrivals.first else {
            throw BenchFailure("the long prompt gave no token")
        }
        for record in records[..<streams] {
            result.disturbed += record.gaps(within: records[long.number].submitted...first)
        }
        result.firstTokens.append(records[long.number].firstToken)
        result.promptTokens = records[long.number].end?.usage.promptTokens ?? result.promptTokens
        if !round.isMultiple(of: 2) { await quietTime(of: streams, recorder, into: &result) }
        guard recorder.records[..<streams].allSatisfy({ !$0.isOver }) else {
            throw BenchFailure("streams ended before the long prompt was measured")
        }
        for job in jobs { try await client.cancel(job) }
        await recorder.waitForEnds()
        _ = try recorder.checked()
    }

    private func quietTime(of streams: Int, _ recorder: StreamRecorder, into result: inout Result) async {
        let begin = ContinuousClock.now
        let most = recorder.records[..<streams].map(\.arrivals.count).max() ?? 0
        await recorder.waitForTokens(most + Self.quietTokens, of: 0..<streams)
        let end = ContinuousClock.now
        for record in recorder.records[..<streams] { result.quiet += record.gaps(within: begin...end) }
    }

    private static func request(words: Int, tokens: Int, seed: UInt64) -> GenerationRequest {
        GenerationRequest(
            prompt: Lexicon.text(words: words, seed: seed),
            isRaw: true,
            maximumTokens: tokens,
            ignoresEndOfGeneration: true,
            speculates: false
        )
    }
}

extension StallBench {
    /// Milliseconds between tokens.
    private struct Result {
        var quiet: [Double] = []
        var disturbed: [Double] = []
        var firstTokens: [Double] = []
        var promptTokens = 0

        /// Adds the times and their ratio to the figures.
        func report(streams: Int, into figures: inout Figures) {
            let name = "\(streams) streams"
            let quiet99 = Figures.quantile(quiet.sorted(), 0.99)
            let disturbed99 = Figures.quantile(disturbed.sorted(), 0.99)
            figures.add(
                "inter-token p99 with / without a long prompt, \(name)",
                disturbed99 / quiet99,
                "x",
                goal: .atMost(2)
            )
            figures.add("inter-token without, \(name)", milliseconds: quiet)
            figures.add("inter-token with, \(name)", milliseconds: disturbed)
            figures.add("tokens of the long prompt, \(name)", Double(promptTokens), "tokens")
            figures.add("first token of the long prompt, \(name)", milliseconds: firstTokens)
        }
    }
}
