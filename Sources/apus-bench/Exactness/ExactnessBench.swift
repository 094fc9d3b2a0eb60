import ApusTestKit
import ArgumentParser
import Foundation

/// The table of exactness: every way to generate, through everything that may happen to it, byte for byte.
struct ExactnessBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exactness",
        abstract: "The table of exactness: equal bytes alone, in company, from caches and after losses."
    )

    /// Weights with a name for the table, as `NAME=FILE`.
    struct Weights: ExpressibleByArgument {
        /// What the table calls them.
        var name: String
        /// The model's file.
        var path: String

        init?(argument: String) {
            let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { return nil }
            (name, path) = (parts[0], parts[1])
        }
    }

    @OptionGroup var options: BenchOptions
    @OptionGroup var worker: RealWorker

    @Option(help: "Weights as NAME=FILE that must be exact; may be given several times.")
    var weights: [Weights] = []

    @Option(help: "Weights as NAME=FILE whose class is measured; may be given several times.")
    var measured: [Weights] = []

    @Option(help: "Ways to generate; default: all of them.")
    var modes: [ExactnessMode] = ExactnessMode.allCases

    @Flag(help: "A part of everything, within a minute on a quiet machine.")
    var quick = false

    @Flag(help: "Print nothing but tables in Markdown, for the documents.")
    var markdown = false

    func validate() throws {
        guard !modes.isEmpty else { throw ValidationError("--modes names no way to generate.") }
    }

    func run() async throws {
        let program = try TestCluster.program("apus", variable: "APUS")
        var plan = quick ? ExactnessPlan.quick : .full
        plan.modes = modes
        var figures = Figures()
        let exact = weights.isEmpty && measured.isEmpty ? [Self.standard(worker)].compactMap { $0 } : weights
        for (set, mustBeExact) in [(exact, true), (measured, false)] {
            for weights in set {
                var worker = worker
                worker.model = weights.path
                let trial = ExactnessTrial(weights: weights.name, worker: worker, plan: plan)
                report(try await trial.run(program: program), mustBeExact: mustBeExact, into: &figures)
            }
        }
        if !markdown { figures.printTable() }
        try figures.write(to: options.json)
        guard figures.failures.isEmpty else { throw ValidationError(figures.failures.joined(separator: "\n")) }
    }

    private func report(_ table: ExactnessTable, mustBeExact: Bool, into figures: inout Figures) {
        let count = table.results.count
        let verdict =
            table.differences == 0
            ? "all \(count) comparisons equal" : "\(table.differences) of \(count) comparisons different"
        let title = "\(table.weights): \(verdict); the worker calls itself `\(table.claimed)`."
        print(markdown ? "\(title)\n\n\(table.table.markdown)\n" : "\(title)\n\(table.table.plain)\n")
        let goal = mustBeExact ? Goal.exactly(0) : nil
        figures.add("\(table.weights): comparisons", Double(count), "outputs")
        figures.add("\(table.weights): different", Double(table.differences), "outputs", goal: goal)
        let untested = table.results.count {
            if case .untested = $0.cell { true } else { false }
        }
        figures.add("\(table.weights): equal, but not put to the test", Double(untested), "outputs")
        for (mode, column, cell) in table.results {
            if mustBeExact, case .different(let place) = cell {
                figures.failures.append("\(table.weights), \(mode.title), \(column): different \(place)")
            }
        }
        figures.failures += faults(of: table)
        if mustBeExact, table.claimed != "exact" {
            figures.failures.append("\(table.weights): the worker calls itself \(table.claimed), not exact")
        }
        // A worker that calls itself exact has to be.
        if !mustBeExact, table.claimed == "exact", table.differences > 0 {
            figures.failures.append("\(table.weights): the worker calls itself exact, and is not")
        }
    }

    private func faults(of table: ExactnessTable) -> [String] {
        modes.compactMap { mode in table.faults[mode].map { "\(table.weights), \(mode.title): \($0)" } }
    }

    private static func standard(_ worker: RealWorker) -> Weights? { Weights(argument: "Q4_0=\(worker.modelPath)") }
}
