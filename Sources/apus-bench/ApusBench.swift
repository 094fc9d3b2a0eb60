import ArgumentParser

/// The benchmarks of Apus; `Scripts/bench.sh` builds and runs them.
@main
struct ApusBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apus-bench",
        abstract: "Measures a cluster of real processes on this machine.",
        discussion: "Every figure is measured in the run that prints it. Workers are simulated and say so.",
        subcommands: [RelayBench.self, FailoverBench.self, StreamsBench.self, BareRole.self]
    )
}

/// What all benchmarks take.
struct BenchOptions: ParsableArguments {
    @Option(help: "Write every figure to this file as JSON.")
    var json: String?
}
