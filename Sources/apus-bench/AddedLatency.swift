import ApusClient
import ApusModel
import ApusTestKit
import Synchronization

/// The time that Apus adds to a token under low load.
enum AddedLatency {
    /// Milliseconds from the moment at which a simulated worker drew a token to its arrival at the client's callback.
    ///
    /// The worker's tokens are the time of their drawing; both processes read the same clock of the system.
    ///
    /// - Parameters:
    ///   - cluster: A cluster without workers; one is started.
    ///   - durability: The streams' durability.
    /// - Returns: The time of each token.
    /// - Throws: What keeps it from measuring.
    static func measure(on cluster: TestCluster, durability: Durability = .released) async throws -> [Double] {
        let worker = try cluster.startSimulatedWorker(slots: 4, stepMicroseconds: 5_000, further: ["--sim-stamp-time"])
        let times = Mutex<[Double]>([])
        try await ApusClient.withClient(ClientConfiguration(endpoint: cluster.clients, name: "bench")) { client in
            let ends = StreamEnds(2)
            for stream in 0..<2 {
                let request = GenerationRequest(
                    prompt: "stream \(stream)",
                    isRaw: true,
                    maximumTokens: 1_000,
                    durability: durability
                )
                _ = try await client.submit(request) { update in
                    switch update {
                    case .batch(let batch):
                        let now = StampClock.microseconds
                        times.withLock { times in
                            for id in batch.ids { times.append(Double(StampClock.elapsed(since: id, at: now)) / 1_000) }
                        }
                    case .finished, .failed: ends.add()
                    }
                }
            }
            await ends.wait()
        }
        withExtendedLifetime(worker) {}
        return times.withLock { $0 }
    }
}
