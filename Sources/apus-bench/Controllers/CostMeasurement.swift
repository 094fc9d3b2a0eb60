import ApusClient
import ApusModel
import ApusTestKit

/// Measures what the passes of a real worker cost, as its client sees them.
struct CostMeasurement {
    /// The worker that is measured.
    var worker: RealWorker

    /// Streams beside each other and words of their prompts: from few short ones to as many long ones as a laptop holds.
    private static let loads = [
        (1, 24), (2, 24), (4, 24), (8, 24), (16, 24), (32, 24), (1, 600), (4, 600), (8, 400), (16, 200),
    ]

    /// Tokens of the stream that starts last.
    private static let tokens = 48

    /// Measures.
    ///
    /// - Parameter program: The `apus` command.
    /// - Returns: The model, and the steps that it was fitted to.
    /// - Throws: What keeps it from measuring.
    func run(program: String) async throws -> (model: CostModel, samples: [CostModel.Sample]) {
        let cluster = try TestCluster(executable: program)
        let process = try worker.start(on: cluster, slots: 32, context: 1_024, further: ["--min-batch", "32"])
        defer { withExtendedLifetime(process) {} }
        let configuration = ClientConfiguration(endpoint: cluster.clients, name: "bench")
        return try await ApusClient.withClient(configuration) { client in
            var samples: [CostModel.Sample] = []
            for (place, (streams, words)) in Self.loads.enumerated() {
                let recorder = StreamRecorder(client)
                var jobs: [JobID] = []
                for stream in 0..<streams {
                    // Those whose prompts are read first are ahead, and go on until the last one has its tokens.
                    let request = Self.request(
                        words: words,
                        tokens: 1_000 - words,
                        seed: UInt64(1_000 * place + stream)
                    )
                    jobs.append(try await recorder.submit(request).job)
                }
                await recorder.waitForTokens(Self.tokens, of: 0..<streams)
                for job in jobs { try await client.cancel(job) }
                await recorder.waitForEnds()
                samples += [Self.sample(of: try recorder.checked(), words: words)].compactMap { $0 }
            }
            var promptTimes: [Double] = []
            for round in 0..<5 {
                let request = Self.request(words: 600, tokens: 1, seed: UInt64(900_000 + round))
                for record in try await StreamRecorder.run([request], on: client) {
                    promptTimes.append(record.firstToken * 1_000 / Double(record.end?.usage.promptTokens ?? 1))
                }
            }
            guard samples.count >= 3 else { throw BenchFailure("too few loads ran beside each other to fit a model") }
            return (CostModel(fitting: samples, promptToken: Figures.median(promptTimes)), samples)
        }
    }

    /// The steps that all streams shared; `nil` where there was none.
    ///
    /// A word is a token.
    private static func sample(of records: [StreamRecord], words: Int) -> CostModel.Sample? {
        guard let begin = records.compactMap(\.arrivals.first).max(),
            let end = records.compactMap(\.arrivals.last).min(),
            begin < end
        else { return nil }
        let gaps = records.flatMap { $0.gaps(within: begin...end) }
        guard !gaps.isEmpty else { return nil }
        let context = records.reduce(0.0) { sum, record in
            let before = record.arrivals.count { $0 <= begin }
            let until = record.arrivals.count { $0 <= end }
            return sum + Double(words) + Double(before + until) / 2
        }
        return CostModel.Sample(
            rows: records.count,
            contextTokens: context,
            microseconds: Figures.median(gaps) * 1_000
        )
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
