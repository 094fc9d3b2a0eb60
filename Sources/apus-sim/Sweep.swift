import ApusSimulator
import Foundation
import Synchronization

/// Runs the worlds of many seeds on several threads.
final class Sweep: Sendable {
    /// Seeds that a thread takes at a time.
    private static let portion = 16

    /// The machine's cores.
    static var cores: Int { ProcessInfo.processInfo.activeProcessorCount }

    private let swarm: Swarm
    private let first: UInt64
    private let count: Int
    private let threads: Int
    private let taken = Atomic<Int>(0)
    private let done = Atomic<Int>(0)
    private let total = Mutex(Summary())

    /// Describes a sweep.
    ///
    /// - Parameters:
    ///   - swarm: What worlds are drawn from.
    ///   - first: The first seed.
    ///   - count: How many seeds, in order.
    ///   - threads: How many worlds run beside each other.
    init(swarm: Swarm, first: UInt64, count: Int, threads: Int) {
        self.swarm = swarm
        self.first = first
        self.count = count
        self.threads = threads
    }

    /// Runs all worlds; blocks until they have ended.
    ///
    /// - Parameter showsProgress: Whether progress is shown, where standard error is a terminal.
    /// - Returns: What became of them.
    func run(showsProgress: Bool) -> Summary {
        let progress = showsProgress ? ProgressLine() : nil
        let began = ContinuousClock.now
        let finished = DispatchGroup()
        for _ in 0..<threads {
            finished.enter()
            Thread.detachNewThread {
                self.work()
                finished.leave()
            }
        }
        while finished.wait(timeout: .now() + .milliseconds(200)) == .timedOut {
            progress?.show(done.load(ordering: .relaxed), of: count, since: began)
        }
        progress?.clear()
        return total.withLock { total in
            total.firstSeed = first
            total.threads = threads
            total.realTime = ContinuousClock.now - began
            total.sort()
            return total
        }
    }

    private func work() {
        var summary = Summary()
        while true {
            let start = taken.add(Self.portion, ordering: .relaxed).oldValue
            guard start < count else { break }
            for offset in start..<min(start + Self.portion, count) {
                summary.add(Simulation.run(seed: first &+ UInt64(offset), of: swarm))
                done.add(1, ordering: .relaxed)
            }
        }
        total.withLock { $0.merge(summary) }
    }
}
