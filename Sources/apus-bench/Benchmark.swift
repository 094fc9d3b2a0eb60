import ApusTestKit
import ArgumentParser

/// A benchmark against a cluster of `apus` processes: measures, then reports in the one way that all of them share.
protocol Benchmark: AsyncParsableCommand {
    /// What all benchmarks take.
    var options: BenchOptions { get }

    /// Measures.
    ///
    /// - Parameters:
    ///   - program: The `apus` command.
    ///   - figures: Receives what was measured, and what went wrong.
    /// - Throws: What keeps it from measuring at all.
    func measure(program: String, into figures: inout Figures) async throws
}

extension Benchmark {
    /// Measures and reports.
    ///
    /// - Throws: `ValidationError` where streams were not served right, after the report.
    func run() async throws {
        var figures = Figures()
        try await measure(program: try TestCluster.program("apus", variable: "APUS"), into: &figures)
        figures.printTable()
        try figures.write(to: options.json)
        guard figures.failures.isEmpty else { throw ValidationError(figures.failures.joined(separator: "\n")) }
    }
}
