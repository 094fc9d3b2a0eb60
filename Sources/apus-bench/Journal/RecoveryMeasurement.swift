import ApusClient
import ApusModel
import ApusTestKit
import Foundation

/// How long a killed coordinator takes to be there again with very many live jobs.
struct RecoveryMeasurement {
    /// Live jobs.
    let jobs: Int

    /// Tokens that each of them has.
    let tokens: Int

    /// Measures.
    ///
    /// - Parameters:
    ///   - program: The `apus` command.
    ///   - data: The folder for the journal.
    ///   - figures: Receives what was measured.
    /// - Throws: What keeps it from measuring.
    func run(program: String, data: String, into figures: inout Figures) async throws {
        let endpoints = try TestCluster.fixedEndpoints()
        let cluster = try TestCluster(
            executable: program,
            clients: endpoints.clients,
            workers: endpoints.workers,
            data: data
        )
        let worker = try cluster.startSimulatedWorker(slots: jobs)
        let configuration = ClientConfiguration(
            endpoint: cluster.clients,
            name: "bench",
            readTimeout: .seconds(120),
            creditWindow: max(2, tokens)
        )
        let used = try await ApusClient.withClient(configuration) { client in
            let streams = try await fill(client)
            // Without the worker no stream goes on, and nothing but the recovery takes the coordinator's time.
            worker.kill(SIGKILL)
            worker.waitForExit()
            for stream in streams { stream.detach() }
            return try await client.status().journalStatus.usedBytes
        }
        figures.add("recovery: journal of \(jobs) live jobs", Double(used) / 1_000_000, "MB")
        var ready: [Double] = []
        var answered: [Double] = []
        for _ in 0..<5 {
            cluster.coordinator.kill(SIGKILL)
            cluster.coordinator.waitForExit()
            let begin = ContinuousClock.now
            try cluster.restartCoordinator(readyWithin: .seconds(60))
            ready.append(begin.duration(to: .now).milliseconds)
            let status = try await ApusClient.withClient(configuration) { try await $0.status() }
            answered.append(begin.duration(to: .now).milliseconds)
            let live = status.streams.active + status.streams.queued
            if live != jobs { figures.failures.append("\(live) of \(jobs) jobs are live after the restart") }
        }
        figures.add("recovery of \(jobs) live jobs: start to READY", Figures.median(ready), "ms", goal: .atMost(1_000))
        figures.add("recovery of \(jobs) live jobs: start to status", Figures.median(answered), "ms")
    }

    /// Submits the jobs, each of which comes to its number of tokens and stands still there, as its reader takes no more.
    ///
    /// - Returns: Their streams; a job without a reader would go on to its end.
    private func fill(_ client: ApusClient) async throws -> [TokenStream] {
        var streams: [TokenStream] = []
        let (count, tokens) = (jobs, tokens)
        try await withThrowingTaskGroup(of: [TokenStream].self) { group in
            let lanes = min(256, count)
            for lane in 0..<lanes {
                group.addTask {
                    var streams: [TokenStream] = []
                    for job in stride(from: lane, to: count, by: lanes) {
                        // One more than its reader takes: it never ends.
                        let request = GenerationRequest(
                            prompt: "job \(job)",
                            maximumTokens: 2 * tokens + 2,
                            sampling: SamplingParameters(seed: UInt64(job))
                        )
                        streams.append(try await client.submit(request))
                    }
                    return streams
                }
            }
            for try await some in group { streams += some }
        }
        let expected = count * max(2, tokens)
        while try await client.status().tokens < expected { try await Task.sleep(for: .milliseconds(20)) }
        return streams
    }
}
