import ApusSimulator
import Foundation
import Synchronization

/// Compares placement policies on several threads.
final class PolicySweep: Sendable {
    private let comparison: PolicyComparison
    private let runs: [PolicyRun]
    private let threads: Int
    private let taken = Atomic<Int>(0)
    private let outcomes: Mutex<[PolicyRun.Outcome?]>

    /// Describes a sweep.
    ///
    /// - Parameters:
    ///   - comparison: What is compared.
    ///   - threads: How many worlds run beside each other.
    init(_ comparison: PolicyComparison, threads: Int) {
        self.comparison = comparison
        self.threads = threads
        runs = comparison.runs
        outcomes = Mutex([PolicyRun.Outcome?](repeating: nil, count: comparison.runs.count))
    }

    /// Runs all worlds and prints the table; blocks until it is done.
    ///
    /// - Returns: Whether every world kept its promises.
    func run(output: OutputFormat) -> Bool {
        let finished = DispatchGroup()
        for _ in 0..<threads {
            finished.enter()
            Thread.detachNewThread {
                self.work()
                finished.leave()
            }
        }
        finished.wait()
        let outcomes = outcomes.withLock { $0.compactMap(\.self) }
        let problems = zip(runs, outcomes).flatMap { run, outcome in
            outcome.problems.map { "seed \(run.seed), load \(run.load), \(run.policy.title): \($0)" }
        }
        let report = PolicyReport(comparison: comparison, rows: comparison.rows(of: outcomes), problems: problems)
        print(output == .text ? report.text : report.json)
        return problems.isEmpty
    }

    private func work() {
        while true {
            let place = taken.add(1, ordering: .relaxed).oldValue
            guard place < runs.count else { return }
            let outcome = runs[place].run()
            outcomes.withLock { $0[place] = outcome }
        }
    }
}
