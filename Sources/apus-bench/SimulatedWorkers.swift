import ApusTestKit
import ArgumentParser

/// The workers that a benchmark spreads its streams over.
struct SimulatedWorkers: ParsableArguments {
    @Option(name: .customLong("workers"), help: "Simulated workers.")
    var count = 2

    func validate() throws {
        guard count >= 1 else { throw ValidationError("--workers is \(count); it must be 1 or more.") }
    }

    /// Starts the workers, with slots for all streams at once among them.
    ///
    /// - Parameters:
    ///   - cluster: Where they work.
    ///   - streams: Streams beside each other.
    ///   - stepMicroseconds: Time of a step.
    /// - Returns: Their processes, which end when nobody holds them.
    /// - Throws: `ServerProcess.Failure` where one doesn't become ready.
    func start(on cluster: TestCluster, streams: Int, stepMicroseconds: Int = 0) throws -> [ServerProcess] {
        let slots = (streams + count - 1) / count
        return try (0..<count).map { _ in
            try cluster.startSimulatedWorker(slots: slots, stepMicroseconds: stepMicroseconds)
        }
    }
}
