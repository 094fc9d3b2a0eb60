import ApusModel
import ApusSimulator
import Foundation
import Synchronization

/// Plants every known bug and shows what reveals it.
final class PlantedSweep: Sendable {
    private let planted: PlantedRun
    private let threads: Int
    private let taken = Atomic<Int>(0)
    private let outcomes = Mutex<[PlantedRun.Outcome]>([])

    /// Describes a sweep.
    ///
    /// - Parameters:
    ///   - swarm: What worlds are drawn from.
    ///   - first: The first seed that each bug is tried with.
    ///   - threads: How many bugs are tried beside each other.
    init(swarm: Swarm, first: UInt64, threads: Int) {
        planted = PlantedRun(swarm: swarm, first: first)
        self.threads = threads
        print("first seed \(first)")
    }

    /// Tries all bugs and prints a line for each; blocks until they are done.
    ///
    /// - Returns: Whether each one was noticed.
    func run() -> Bool {
        let finished = DispatchGroup()
        for _ in 0..<threads {
            finished.enter()
            Thread.detachNewThread {
                self.work()
                finished.leave()
            }
        }
        finished.wait()
        let outcomes = outcomes.withLock { $0 }
        let noticed = outcomes.count { $0.seed != nil }
        print("\(noticed) of \(outcomes.count) planted bugs were noticed")
        return noticed == outcomes.count
    }

    private func work() {
        while true {
            let place = taken.add(1, ordering: .relaxed).oldValue
            guard place < PlantedBug.allCases.count else { return }
            let outcome = planted.run(PlantedBug.allCases[place])
            outcomes.withLock { outcomes in
                outcomes.append(outcome)
                show(outcome)
            }
        }
    }

    private func show(_ outcome: PlantedRun.Outcome) {
        print("\(outcome.bug.rawValue): \(outcome.bug.summary)")
        if let seed = outcome.seed, let violation = outcome.violation {
            print("  noticed after \(outcome.seeds) seeds, by seed \(seed): \(violation.checker)")
            print("  \(violation.message)")
        } else {
            print(
                "  not noticed in \(outcome.seeds) seeds; expected from: \(outcome.bug.catchers.joined(separator: ", "))"
            )
        }
    }
}
