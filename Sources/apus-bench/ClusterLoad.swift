import ApusClient
import ApusModel
import ApusTestKit

/// A load of equal streams on a cluster, and what became of it.
struct ClusterLoad {
    var streams: Int
    var tokensPerStream: Int
    var checksContent = false
    var durability = Durability.released

    /// What was measured.
    struct Outcome {
        var tokensPerSecond: Double
        var tokens: Int
        var failures: [String]
        var status: ClusterStatus
        var coordinatorMicroseconds: Double

        /// What the coordinator's resident memory grew by, from before the first submit to after the last end.
        var coordinatorGrowthBytes: Int
    }

    /// Submits all streams at once and waits for their ends.
    func run(on client: ApusClient) async throws -> Outcome {
        let before = try await client.status()
        let check = StreamCheck(streams: streams, checksContent: checksContent)
        let begin = ContinuousClock.now
        try await withThrowingTaskGroup { group in
            // Enough submits are under way to keep the cluster busy, few enough to stay within the client's bounds.
            let lanes = min(streams, 256)
            for lane in 0..<lanes {
                group.addTask {
                    for stream in stride(from: lane, to: streams, by: lanes) {
                        let prompt = "stream \(stream)"
                        let request = GenerationRequest(
                            prompt: prompt,
                            isRaw: true,
                            maximumTokens: tokensPerStream,
                            sampling: SamplingParameters(seed: UInt64(stream)),
                            durability: durability
                        )
                        let count = tokensPerStream
                        _ = try await client.submit(request) { update in
                            check.take(update, stream: stream, prompt: prompt, seed: UInt64(stream), count: count)
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        await check.waitForAll()
        let seconds = (ContinuousClock.now - (check.firstToken ?? begin)) / .seconds(1)
        let after = try await client.status()
        return Outcome(
            tokensPerSecond: Double(check.tokens) / seconds,
            tokens: check.tokens,
            failures: check.failures,
            status: after,
            coordinatorMicroseconds: (after.processorMilliseconds - before.processorMilliseconds) * 1_000,
            coordinatorGrowthBytes: after.memoryBytes - before.memoryBytes
        )
    }
}
