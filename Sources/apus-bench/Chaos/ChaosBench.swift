import ApusModel
import ArgumentParser
import Foundation

/// The proof that nothing accepted is ever lost: a cluster of real processes whose parts are killed at random moments.
struct ChaosBench: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "chaos",
        abstract: "Kills coordinator, workers and clients at random moments; every token is checked."
    )

    @OptionGroup var options: BenchOptions

    @Option(help: "Rounds; something is killed or stopped in each.")
    var rounds = 500

    @Option(help: "What every choice is drawn from; default: another one each time.")
    var seed: UInt64?

    @Option(help: "After so many minutes no further round begins.")
    var minutes = 30.0

    @Option(help: "The workers' engine: simulated, or llama with the model of --model.")
    var engine = "simulated"

    @OptionGroup var real: RealWorker

    @Option(help: "Time of a simulated step in microseconds.")
    var stepUs = 3_000

    @Option(help: "Workers.")
    var workers = 3

    @Option(help: "Jobs beside each other from clients of the benchmark's own process.")
    var lanes = 14

    @Option(help: "Jobs beside each other from client processes, which are killed too.")
    var commands = 3

    @Option(help: "Folder of the coordinator's journal; default: a temporary one, which is removed.")
    var data: String?

    @Option(help: "The jobs' durability: released, accepted or mixed.")
    var durability = "mixed"

    @Option(
        parsing: .upToNextOption,
        help: "What to do: \(Upset.allCases.map(\.rawValue).joined(separator: ", ")); default: all of it."
    )
    var upset: [String] = []

    @Flag(help: "Keep the coordinator's journal in memory; then nothing that kills the coordinator is done.")
    var ephemeral = false

    func validate() throws {
        guard rounds >= 1, workers >= 1, lanes >= 1, commands >= 1, minutes > 0, stepUs >= 0 else {
            throw ValidationError("--rounds, --workers, --lanes, --commands and --minutes must be 1 or more.")
        }
        guard ChaosSettings.durabilities(durability) != nil else {
            throw ValidationError("--durability is \(durability); it must be released, accepted or mixed.")
        }
        guard ["simulated", "llama"].contains(engine) else {
            throw ValidationError("--engine is \(engine); it must be simulated or llama.")
        }
        if let unknown = upset.first(where: { Upset(rawValue: $0) == nil }) {
            throw ValidationError("--upset is \(unknown); see --help for what there is.")
        }
    }

    func measure(program: String, into figures: inout Figures) async throws {
        let guardian = ChildGuard()
        defer { withExtendedLifetime(guardian) {} }
        let seed = seed ?? UInt64.random(in: 0...(.max >> 1))
        Progress.say("seed \(seed)")
        let folder = data ?? NSTemporaryDirectory() + "/apus-chaos-\(getpid())"
        if data == nil { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) }
        // A folder that can't be removed is one more file in the system's temporary folder.
        defer { if data == nil { try? FileManager.default.removeItem(atPath: folder) } }
        var settings = ChaosSettings(seed: seed, data: ephemeral ? nil : folder)
        settings.rounds = rounds
        settings.limit = .seconds(minutes * 60)
        settings.engine = engine == "llama" ? .llama(model: real.modelPath) : .simulated(stepMicroseconds: stepUs)
        settings.workers = workers
        settings.lanes = lanes
        settings.commands = commands
        settings.durabilities = ChaosSettings.durabilities(durability) ?? []
        let wanted = upset.isEmpty ? Upset.allCases : upset.compactMap { Upset(rawValue: $0) }
        settings.upsets = wanted.filter { !ephemeral || !$0.killsCoordinator }
        guard !settings.upsets.isEmpty else {
            throw ValidationError("Without a durable journal there is nothing left to do.")
        }
        let run = try ChaosRun(program: program, settings: settings)
        Self.report(try await run.run(), into: &figures)
        if !figures.failures.isEmpty { figures.failures.append("the choices can be drawn again with --seed \(seed)") }
    }

    private static func report(_ report: ChaosReport, into figures: inout Figures) {
        figures.add("rounds", Double(report.rounds), "rounds")
        for upset in Upset.allCases {
            if let count = report.upsets[upset] { figures.add(upset.title, Double(count), "times") }
        }
        let totals = report.totals
        figures.add("jobs accepted", Double(totals.accepted), "jobs")
        figures.add("jobs submitted again or attached to", Double(totals.repeats), "times")
        figures.add("jobs of durability none that died with their coordinator", Double(totals.died), "jobs")
        figures.add("streams read to their ends", Double(totals.streams), "streams")
        figures.add("tokens received and checked", Double(totals.tokens), "tokens")
        figures.add("lost jobs", Double(report.lost), "jobs", goal: .exactly(0))
        figures.add("lost, repeated or changed tokens", Double(totals.wrong), "times", goal: .exactly(0))
        figures.add("stuck streams", Double(totals.stuck), "streams", goal: .exactly(0))
        figures.failures += report.violations
        if !report.starts.isEmpty { figures.add("coordinator start to READY", milliseconds: report.starts) }
        for name in totals.gaps.keys.sorted() {
            let isGoal = name == Upset.coordinator.title
            let goals: [Int: Goal] = isGoal ? [99: .atMost(500)] : [:]
            figures.add("gap, \(name):", milliseconds: totals.gaps[name] ?? [], goals: goals)
        }
        for name in totals.gaps.keys.sorted() {
            figures.printHistogram(
                "gap, \(name):",
                bounds: [5, 10, 20, 50, 100, 150, 200, 250, 300, 400, 500, 750, 1_000, 2_000, 5_000]
            )
        }
    }
}
