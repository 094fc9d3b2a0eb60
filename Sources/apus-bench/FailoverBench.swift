import ApusClient
import ApusModel
import ApusTestKit
import ArgumentParser
import Foundation
import Synchronization

/// The time from a worker's crash to the first new token of each of its streams at the client.
struct FailoverBench: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "failover",
        abstract: "The gap that a client sees when a worker is killed or stopped, as a histogram."
    )

    @OptionGroup var options: BenchOptions

    @Option(help: "Workers killed with SIGKILL.")
    var kills = 200

    @Option(help: "Workers stopped with SIGSTOP.")
    var stops = 20

    @Option(help: "Streams that run during each kill, over two workers.")
    var streams = 6

    func measure(program: String, into figures: inout Figures) async throws {
        let killed = try await gaps(rounds: kills, signal: SIGKILL, program: program)
        figures.add("SIGKILL to first new token", milliseconds: killed, goals: [50: .atMost(10), 99: .atMost(30)])
        let stopped = try await gaps(rounds: stops, signal: SIGSTOP, program: program)
        figures.add("SIGSTOP to first new token", milliseconds: stopped, goals: [100: .atMost(700)])
        figures.printHistogram("SIGKILL to first new token", bounds: [2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 50, 75, 100])
        figures.printHistogram("SIGSTOP to first new token", bounds: [400, 450, 500, 525, 550, 575, 600, 650, 700])
    }

    /// Milliseconds from the signal to the first token that was computed after the worker's death, for each stream of the worker.
    private func gaps(rounds: Int, signal: Int32, program: String) async throws -> [Double] {
        let cluster = try TestCluster(executable: program)
        let step = 1_000
        func start() throws -> ServerProcess {
            try cluster.startSimulatedWorker(slots: streams, stepMicroseconds: step, further: ["--sim-stamp-time"])
        }
        let survivor = try start()
        var gaps: [Double] = []
        try await ApusClient.withClient(ClientConfiguration(endpoint: cluster.clients, name: "bench")) { client in
            for round in 0..<rounds {
                let victim = try start()
                let watch = GapWatch(streams: streams)
                var running: [Subscription] = []
                for stream in 0..<streams {
                    let request = GenerationRequest(
                        prompt: "round \(round) stream \(stream)",
                        isRaw: true,
                        maximumTokens: 100_000
                    )
                    running.append(try await client.submit(request) { watch.take($0, stream: stream) })
                }
                // The streams are spread over both workers and have run for a while.
                await watch.waitForTokens(20)
                let began = StampClock.microseconds
                victim.kill(signal)
                if signal == SIGKILL { victim.waitForExit() }
                watch.began(at: began, deadAt: StampClock.microseconds)
                // Tokens of the survivor's streams end their watch as well; only streams that moved count as gaps.
                await watch.waitForNewTokens()
                let jobs = try await client.jobs(limit: streams)
                let moved = Set(jobs.filter { $0.attempts > 1 }.map(\.job))
                guard !moved.isEmpty else {
                    throw ValidationError("round \(round): no stream was on the killed worker")
                }
                for (stream, subscription) in running.enumerated() where moved.contains(subscription.job.description) {
                    gaps.append(watch.gap(of: stream))
                }
                guard watch.failures.isEmpty else {
                    throw ValidationError(watch.failures.joined(separator: "\n"))
                }
                for subscription in running { try await client.cancel(subscription.job) }
                if signal != SIGKILL {
                    victim.kill(SIGKILL)
                    victim.waitForExit()
                }
                if (round + 1) % 20 == 0 {
                    FileHandle.standardError.write(Data("\(round + 1) of \(rounds) rounds\n".utf8))
                }
            }
        }
        survivor.kill(SIGKILL)
        survivor.waitForExit()
        return gaps
    }
}
