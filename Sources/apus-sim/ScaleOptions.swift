import ApusSimulator
import ArgumentParser

/// How large the clusters of a scale run are.
struct ScaleOptions: ParsableArguments {
    @Flag(
        help: "Run clusters of 10 to 10,000 workers through a storm that kills half of them, and print what they cost."
    )
    var scale = false

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp("The sizes of a scale run, in workers.", valueName: "workers")
    )
    var scaleWorkers = [10, 100, 1_000, 10_000]

    func validate() throws {
        guard scaleWorkers.allSatisfy({ (2...16_384).contains($0) }) else {
            throw ValidationError("--scale-workers must be 2 to 16,384")
        }
    }

    /// Runs all sizes and prints a table, or JSON.
    ///
    /// - Parameters:
    ///   - seed: The seed of every cluster.
    ///   - output: How to print.
    /// - Returns: Whether every promise was kept.
    func run(seed: UInt64, output: OutputFormat) -> Bool {
        let worlds = scaleWorkers.map { ScaleWorld(workers: $0, seed: seed) }
        // First, while nothing of a world lies free in the process; all are kept until the last is measured.
        let memories = worlds.map { MachineMemory($0, resident: { ResidentMemory.bytes }) }
        let sizes = memories.map { ScaleTable.Memory(worker: $0.bytesPerWorker, stream: $0.bytesPerStream) }
        let reports = worlds.map { ScaleSimulation.run($0, clock: { ProcessorTime.ofThread }) }
        let table = ScaleTable(seed: seed, reports: reports, memories: sizes)
        switch output {
        case .text: print(table.markdown)
        case .json: print(table.json)
        }
        return table.violations.isEmpty
    }
}
