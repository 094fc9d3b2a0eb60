import ApusModel
import ArgumentParser
import Foundation
import Logging

/// Runs a whole cluster on this machine.
struct Up: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a coordinator and workers on this machine, until Ctrl-C.",
        discussion: """
            Examples:

              apus up --workers 2
              apus up --workers 4 --model model.gguf --threads 2
              apus up --engine simulated --clients 'tcp://127.0.0.1:*'
              apus up --share web=4 --share reports=1

            Prints `READY clients=ENDPOINT workers=ENDPOINT` when all workers serve.
            A process that dies starts again; meanwhile its streams go on elsewhere, and
            when all of them die, at the next start. Ctrl-C stops all of them; a second
            one at once.
            """
    )

    @Option(help: ArgumentHelp("How many workers.", valueName: "n"))
    var workers: Int = 2

    @Option(help: ArgumentHelp("Where the coordinator listens for clients.", valueName: "endpoint"))
    var clients: String = "tcp://127.0.0.1:5700"

    @Option(help: ArgumentHelp("Where the coordinator listens for workers.", valueName: "endpoint"))
    var workersAt: String = "tcp://127.0.0.1:5701"

    @OptionGroup(title: "Journal")
    var journal: JournalOptions

    @OptionGroup var clientShares: ShareOptions
    @OptionGroup var engine: EngineOptions
    @OptionGroup var server: ServerOptions

    func validate() throws {
        guard (1...64).contains(workers) else {
            throw ValidationError("--workers is \(workers); it must be between 1 and 64.")
        }
    }

    func run() async throws {
        let share = LocalCluster.threads(
            processors: ProcessInfo.processInfo.activeProcessorCount,
            workers: workers
        )
        let plan = LocalCluster(
            clients: clients,
            workersEndpoint: workersAt,
            coordinatorArguments: journal.arguments + clientShares.arguments,
            workers: workers,
            workerArguments: engine.arguments(threads: share),
            logLevel: server.logLevel.rawValue
        )
        let supervisor = Supervisor(plan: plan, executable: try Self.executable())
        let verdict = await supervisor.run()
        if verdict.status != 0 || verdict.message != nil {
            throw CommandExit(ExitStatus(rawValue: verdict.status) ?? .failed, verdict.message)
        }
    }

    /// This program's file, whatever the path or name it was called by.
    private static func executable() throws(ApusError) -> URL {
        guard let path = Bundle.main.executablePath else {
            throw ApusError(.internalFailure, "the path of this program is unknown")
        }
        return URL(fileURLWithPath: path)
    }
}
