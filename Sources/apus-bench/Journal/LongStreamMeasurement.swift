import ApusClient
import ApusModel
import ApusTestKit
import Foundation
import Synchronization

/// Whether a coordinator's memory stays flat while one stream gets very long.
struct LongStreamMeasurement {
    /// Tokens of the stream.
    let tokens: Int

    /// Measures.
    ///
    /// - Parameters:
    ///   - program: The `apus` command.
    ///   - data: The folder for the journal.
    ///   - figures: Receives what was measured.
    /// - Throws: What keeps it from measuring.
    func run(program: String, data: String, into figures: inout Figures) async throws {
        let cluster = try TestCluster(executable: program, data: data)
        let worker = try cluster.startSimulatedWorker(slots: 1, stepMicroseconds: 20)
        let coordinator = ProcessView(processID: cluster.coordinator.processID)
        let samples = Mutex<[(index: Int, bytes: Int)]>([])
        let check = StreamCheck(streams: 1, checksContent: true)
        let (count, every) = (tokens, max(1, tokens / 100))
        let configuration = ClientConfiguration(endpoint: cluster.clients, name: "bench")
        let status = try await ApusClient.withClient(configuration) { client in
            let request = GenerationRequest(
                prompt: "long",
                isRaw: true,
                maximumTokens: count,
                sampling: SamplingParameters(seed: 1),
                deadline: .seconds(3_600)
            )
            _ = try await client.submit(request) { update in
                check.take(update, stream: 0, prompt: "long", seed: 1, count: count)
                guard case .batch(let batch) = update else { return }
                samples.withLock { samples in
                    guard batch.endIndex >= (samples.last?.index ?? 0) + every else { return }
                    samples.append((batch.endIndex, coordinator.residentBytes))
                }
            }
            await check.waitForAll()
            return try await client.status()
        }
        withExtendedLifetime(worker) {}
        figures.failures += check.failures
        let all = samples.withLock { $0 }
        func megabytes(at share: Double) -> Double {
            let sample = all.last { Double($0.index) <= Double(count) * share } ?? all.first
            return Double(sample?.bytes ?? 0) / 1_000_000
        }
        figures.add("memory of the coordinator after a tenth of \(count) tokens", megabytes(at: 0.1), "MB")
        figures.add("memory of the coordinator after half of them", megabytes(at: 0.5), "MB")
        figures.add("memory of the coordinator after all of them", megabytes(at: 1), "MB")
        figures.add("growth over the second half", megabytes(at: 1) - megabytes(at: 0.5), "MB", goal: .atMost(2))
        let used = Double(status.journalStatus.usedBytes) / Double(count)
        figures.add("journal of one long stream", used, "bytes/token")
    }
}
