import ApusClient
import ApusModel

/// Where the jobs of a chaos run come from.
enum ChaosSource: Sendable {
    /// Always new ones, for the simulated engine.
    case simulated([Durability])
    /// Some that were recorded undisturbed, again and again under new keys.
    case recorded([ChaosJob], [Durability])

    /// Makes a job.
    ///
    /// - Parameters:
    ///   - key: Its key, which no other job has.
    ///   - random: What it is drawn from.
    ///   - isSingle: Whether it has one stream only, and outlives its coordinator.
    /// - Returns: The job.
    func job(key: String, random: inout ChaosRandom, isSingle: Bool) -> ChaosJob {
        switch self {
        case .simulated(let durabilities):
            var request = GenerationRequest(prompt: "chaos \(key)", ignoresEndOfGeneration: random.once(in: 2))
            request.durability = Self.durability(of: durabilities, isSingle: isSingle, random: &random)
            // What isn't journaled is computed again from its first token: such a stream has to end between two deaths.
            let longest = request.durability == .accepted ? 200 : random.once(in: 3) ? 3_000 : 800
            request.maximumTokens = random.draw((longest / 5)...longest)
            request.sampling = Self.sampling(&random)
            if !isSingle, random.once(in: 5) { request.choices = random.draw(2...3) }
            if random.once(in: 4) { request.transferTokens = random.draw(2...8) }
            let streams = (0..<request.choices).map { ExpectedStream(simulated: request, choice: $0) }
            return ChaosJob(key: key, request: request, streams: streams)
        case .recorded(let jobs, let durabilities):
            let usable = isSingle ? jobs.filter { $0.streams.count == 1 } : jobs
            var job = usable[random.draw(0...usable.count - 1)]
            job.key = key
            job.request.durability = Self.durability(of: durabilities, isSingle: isSingle, random: &random)
            return job
        }
    }

    /// Records jobs on a real model while nobody disturbs them.
    ///
    /// - Parameters:
    ///   - count: How many.
    ///   - durabilities: What their copies are drawn from.
    ///   - random: What they are drawn from.
    ///   - client: Reaches the cluster.
    /// - Returns: A source of these jobs.
    /// - Throws: Why one was not served.
    static func record(
        _ count: Int,
        durabilities: [Durability],
        random: inout ChaosRandom,
        on client: ApusClient
    ) async throws -> ChaosSource {
        var jobs: [ChaosJob] = []
        for number in 0..<count {
            var request = GenerationRequest(
                prompt: Lexicon.question(seed: random.next()),
                maximumTokens: random.draw(40...400),
                sampling: sampling(&random),
                durability: .none
            )
            request.ignoresEndOfGeneration = true
            if number % 4 == 3 { request.choices = 2 }
            var streams: [ExpectedStream] = []
            for stream in try await client.submitChoices(request) {
                var expected = ExpectedStream()
                for try await batch in stream.batches { expected.append(batch) }
                if let end = stream.end { expected.finish(end.reason) }
                streams.append(expected)
            }
            jobs.append(ChaosJob(key: "", request: request, streams: streams))
        }
        return .recorded(jobs, durabilities)
    }

    private static func durability(
        of durabilities: [Durability],
        isSingle: Bool,
        random: inout ChaosRandom
    ) -> Durability {
        let usable = isSingle ? durabilities.filter { $0 != .none } : durabilities
        return usable.isEmpty ? .released : usable[random.draw(0...usable.count - 1)]
    }

    /// A seed, and half of the time a temperature.
    private static func sampling(_ random: inout ChaosRandom) -> SamplingParameters {
        let seed = random.next() >> 1
        guard random.once(in: 2) else { return SamplingParameters(seed: seed) }
        return SamplingParameters(temperature: 0.8, topK: 40, topP: 0.95, seed: seed)
    }
}
