import ApusTestKit
import ArgumentParser
import Foundation

/// A worker with a real model, as the benchmarks of the pipeline start it.
struct RealWorker: ParsableArguments {
    @Option(help: "The model's file (GGUF); default $APUS_MODEL, then the model that Scripts/setup.sh installs.")
    var model: String?

    @Option(help: "The worker's threads.")
    var threads = 2

    func validate() throws {
        guard threads >= 1 else { throw ValidationError("--threads is \(threads); it must be 1 or more.") }
    }

    /// The model's file.
    var modelPath: String {
        let variables = ProcessInfo.processInfo.environment
        return model ?? variables["APUS_MODEL"]
            ?? (variables["HOME"] ?? "") + "/.local/share/apus/models/SmolLM2-135M-Instruct-Q4_0.gguf"
    }

    /// Starts a worker and waits until it serves.
    ///
    /// - Parameters:
    ///   - cluster: Where it works.
    ///   - slots: Its streams beside each other; all of them may run in a step.
    ///   - context: Tokens in a slot.
    ///   - further: Further arguments of `apus worker`; of an option that is there twice, the last counts.
    /// - Returns: Its process, which ends when nobody holds it.
    /// - Throws: `ServerProcess.Failure` where it doesn't become ready.
    func start(
        on cluster: TestCluster,
        slots: Int,
        context: Int,
        further: [String] = []
    ) throws -> ServerProcess {
        let arguments = [
            "--model", modelPath, "--threads", "\(threads)", "--slots", "\(slots)", "--context", "\(context)",
        ]
        return try cluster.startWorker(arguments + further)
    }
}
