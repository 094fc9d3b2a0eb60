import ApusClient
import ApusModel
import ApusTestKit
import ArgumentParser
import Foundation

/// What the journal costs: throughput, time a token, disk, recovery and memory.
struct JournalBench: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "journal",
        abstract: "What durability costs: throughput, time a token, bytes on disk, recovery, memory."
    )

    @OptionGroup var options: BenchOptions
    @OptionGroup var workers: SimulatedWorkers

    @Option(help: "Streams beside each other.")
    var streams = 256

    @Option(help: "Tokens of a run.")
    var tokens = 2_000_000

    @Option(help: "Runs of each durability, one after the other in turn.")
    var repetitions = 5

    @Option(help: "Live jobs that a killed coordinator recovers.")
    var jobs = 10_000

    @Option(help: "Tokens of each of these.")
    var jobTokens = 100

    @Option(help: "Tokens of the one long stream.")
    var longTokens = 1_000_000

    @Option(help: "Folder for journals, on the disk to be measured; default: the present one.")
    var data = FileManager.default.currentDirectoryPath

    func validate() throws {
        for (name, value) in [
            ("--streams", streams), ("--tokens", tokens), ("--repetitions", repetitions), ("--jobs", jobs),
            ("--job-tokens", jobTokens), ("--long-tokens", longTokens),
        ] where value < 1 {
            throw ValidationError("\(name) is \(value); it must be 1 or more.")
        }
        guard longTokens <= Limits.maximumTokens else {
            throw ValidationError("--long-tokens is \(longTokens); a stream has at most \(Limits.maximumTokens).")
        }
    }

    func measure(program: String, into figures: inout Figures) async throws {
        let guardian = ChildGuard()
        defer { withExtendedLifetime(guardian) {} }
        try await throughput(program: program, into: &figures)
        try await latency(program: program, into: &figures)
        Progress.say("recovery")
        let recovery = RecoveryMeasurement(jobs: jobs, tokens: jobTokens)
        try await inFolder { try await recovery.run(program: program, data: $0, into: &figures) }
        Progress.say("one long stream")
        let memory = LongStreamMeasurement(tokens: longTokens)
        try await inFolder { try await memory.run(program: program, data: $0, into: &figures) }
    }

    /// Gives a journal a folder of its own, which is removed afterwards.
    private func inFolder<R>(_ body: (String) async throws -> R) async throws -> R {
        let folder = "\(data)/apus-journal-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        // What can't be removed lies where it was asked to be.
        defer { try? FileManager.default.removeItem(atPath: folder) }
        return try await body(folder)
    }

    // MARK: Throughput

    /// All durabilities in turn on one coordinator and its workers, so that they see the same machine.
    private func throughput(program: String, into figures: inout Figures) async throws {
        let (workers, streams, repetitions) = (workers, streams, repetitions)
        let perStream = max(1, min(100_000, tokens / streams))
        let (rates, failures) = try await inFolder { folder in
            let cluster = try TestCluster(executable: program, data: folder)
            let started = try workers.start(on: cluster, streams: streams)
            let configuration = ClientConfiguration(endpoint: cluster.clients, name: "bench", creditWindow: 4_096)
            let outcome = try await ApusClient.withClient(configuration) { client in
                var rates: [Durability: [Double]] = [:]
                var failures: [String] = []
                for repetition in 0...repetitions {
                    for durability in Durability.allCases {
                        let outcome = try await ClusterLoad(
                            streams: streams,
                            tokensPerStream: perStream,
                            durability: durability
                        ).run(on: client)
                        failures += outcome.failures
                        // The first run of each warms everything up.
                        guard repetition > 0 else { continue }
                        rates[durability, default: []].append(outcome.tokensPerSecond)
                    }
                    Progress.say("throughput, run \(repetition) of \(repetitions)")
                }
                return (rates, failures)
            }
            withExtendedLifetime(started) {}
            return outcome
        }
        figures.failures += failures
        func median(_ durability: Durability) -> Double { Figures.median(rates[durability] ?? []) }
        for durability in Durability.allCases {
            figures.add("\(durability), \(streams) streams", median(durability), "tokens/s")
        }
        let none = median(.none)
        figures.add("released / none, medians", median(.released) / none, "x", goal: .atLeast(0.8))
        figures.add("accepted / none, medians", median(.accepted) / none, "x")
    }

    // MARK: Time a token

    private func latency(program: String, into figures: inout Figures) async throws {
        var times: [Durability: [Double]] = [:]
        // In turn, as above.
        for _ in 0..<3 {
            for durability in [Durability.none, .released] {
                times[durability, default: []] += try await inFolder { folder in
                    let cluster = try TestCluster(executable: program, data: folder)
                    return try await AddedLatency.measure(on: cluster, durability: durability)
                }
            }
        }
        let (none, released) = (times[.none] ?? [], times[.released] ?? [])
        figures.add("added per token, none:", milliseconds: none)
        figures.add("added per token, released:", milliseconds: released)
        let difference = Figures.quantile(released.sorted(), 0.5) - Figures.quantile(none.sorted(), 0.5)
        figures.add("added by the journal p50", difference, "ms", goal: .atMost(1))
    }
}
