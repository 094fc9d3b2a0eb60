import ApusModel
import ApusSimulator
import ArgumentParser

/// Runs simulated clusters.
@main
struct ApusSim: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apus-sim",
        abstract: "Run the coordinator's core in simulated clusters.",
        discussion: """
            Each seed is one cluster and one execution of it, with its own sizes, speeds and mix of faults. After the faults \
            everything is made whole, and all that was accepted has to end. Exits with 1 where a promise is broken.
            """
    )

    @Option(
        help: ArgumentHelp(
            "How many seeds to run (default: 1,000; 20 of --policies and --batching).",
            valueName: "count"
        )
    )
    var seeds: Int?

    @Option(help: ArgumentHelp("The first seed (default: a fresh random one).", valueName: "number"))
    var seed: UInt64?

    @Flag(help: "Print the story of the first seed, one line an event, and run no other.")
    var trace = false

    @Flag(help: "Plant every known bug in turn and show which seed and which checker reveal it.")
    var planted = false

    @Flag(help: "Compare placement policies under a bursty workload without faults; --seeds gives the repetitions.")
    var policies = false

    @Flag(
        help:
            "Compare the policies that choose a worker's batches under a load that changes; --seeds gives the repetitions."
    )
    var batching = false

    @OptionGroup var scale: ScaleOptions

    @Option(help: ArgumentHelp("Threads (default: one a core).", valueName: "count"))
    var threads: Int?

    @Option(help: ArgumentHelp("Workers of every cluster (default: 1 to 5, drawn).", valueName: "count"))
    var workers: Int?

    @Option(help: ArgumentHelp("Streams of every cluster (default: 1 to 50, drawn).", valueName: "count"))
    var streams: Int?

    @Option(help: "How to print the result: text or json.")
    var output = OutputFormat.text

    func validate() throws {
        guard seeds ?? 1 > 0 else { throw ValidationError("--seeds must be 1 or more") }
        guard threads ?? 1 > 0 else { throw ValidationError("--threads must be 1 or more") }
        guard (1...100).contains(workers ?? 1) else { throw ValidationError("--workers must be 1 to 100") }
        guard (1...10_000).contains(streams ?? 1) else { throw ValidationError("--streams must be 1 to 10,000") }
    }

    func run() throws {
        // Short numbers are easy to type again.
        let first = seed ?? UInt64.random(in: 1...999_999_999_999)
        if scale.scale {
            guard scale.run(seed: first, output: output) else { throw ExitCode(1) }
            return
        }
        if batching {
            let report = BatchReport(firstSeed: seed ?? 1, count: seeds ?? 20)
            print(output == .text ? report.text : report.json)
            return
        }
        if policies {
            let sweep = PolicySweep(
                PolicyComparison(firstSeed: seed ?? 1, seeds: seeds ?? 20),
                threads: threads ?? Sweep.cores
            )
            guard sweep.run(output: output) else { throw ExitCode(1) }
            return
        }
        let swarm = Swarm(workers: workers, streams: streams)
        if planted {
            let sweep = PlantedSweep(swarm: swarm, first: first, threads: threads ?? Sweep.cores)
            guard sweep.run() else { throw ExitCode(1) }
            return
        }
        let summary: Summary
        if trace {
            let (report, lines) = Simulation.trace(seed: first, of: swarm)
            if output == .text { for line in lines { print(line) } }
            summary = Summary(reports: report)
        } else {
            let sweep = Sweep(swarm: swarm, first: first, count: seeds ?? 1_000, threads: threads ?? Sweep.cores)
            summary = sweep.run(showsProgress: output == .text)
        }
        switch output {
        case .text: TextReport(summary: summary, options: repetition).print()
        case .json: print(JSONReport(summary: summary, options: repetition).text)
        }
        if !summary.violations.isEmpty { throw ExitCode(1) }
    }

    /// What has to be given besides the seed to make a world again.
    private var repetition: String {
        (workers.map { " --workers \($0)" } ?? "") + (streams.map { " --streams \($0)" } ?? "")
    }
}

/// How the result is printed.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    case text, json
}
