import ArgumentParser

/// The benchmarks of Apus; `Scripts/bench.sh` builds and runs them.
@main
struct ApusBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apus-bench",
        abstract: "Measures a cluster of real processes on this machine.",
        discussion: """
            Every figure is measured in the run that prints it. Workers of relay, failover, streams, journal and controllers are \
            simulated and say so; the others have a real model.
            """,
        subcommands: [
            RelayBench.self, FailoverBench.self, StreamsBench.self, PipelineBench.self, StallBench.self,
            SpeculationBench.self, PrefixBench.self, MemoryBench.self, ControllersBench.self, ExactnessBench.self,
            ChaosBench.self, JournalBench.self, BareRole.self,
        ]
    )
}

/// What all benchmarks take.
struct BenchOptions: ParsableArguments {
    @Option(help: "Write every figure to this file as JSON.")
    var json: String?
}
