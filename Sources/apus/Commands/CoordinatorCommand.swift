import ApusCoordinator
import ApusJournal
import ApusModel
import ArgumentParser
import Logging
import ZeroMQ

/// Runs a coordinator.
struct CoordinatorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "coordinator",
        abstract: "Run the coordinator: it takes jobs from clients and leads workers.",
        discussion: """
            Examples:

              apus coordinator
              apus coordinator --clients tcp://0.0.0.0:5700 --workers tcp://0.0.0.0:5701
              apus coordinator --share web=4 --share reports=1

            Prints `READY clients=ENDPOINT workers=ENDPOINT` when it serves. Port *
            picks a free one. Ctrl-C lets running streams finish for a while.
            """
    )

    @Option(help: ArgumentHelp("Where to listen for clients.", valueName: "endpoint"))
    var clients: String = "tcp://127.0.0.1:5700"

    @Option(help: ArgumentHelp("Where to listen for workers.", valueName: "endpoint"))
    var workers: String = "tcp://127.0.0.1:5701"

    @Option(help: ArgumentHelp("Folder for what must survive a restart; default $APUS_DATA.", valueName: "dir"))
    var data: String?

    @OptionGroup var clientShares: ShareOptions
    @OptionGroup var server: ServerOptions

    func run() async throws {
        let logger = server.logger("coordinator")
        if let folder = data ?? Environment.data {
            Terminal.warn("this version keeps its journal in memory; nothing is written to \(folder)")
        }
        Server.warnIfOpen(clients)
        Server.warnIfOpen(workers)
        let shares = try clientShares.weights()
        let coordinator: Coordinator
        do {
            coordinator = try Coordinator(
                configuration: CoordinatorConfiguration(clients: clients, workers: workers, shares: shares),
                journal: MemoryJournal(),
                logger: logger
            ) { endpoints in
                // A reader that is gone does not need to know that the server is ready.
                try? Terminal.write("READY clients=\(endpoints.clients) workers=\(endpoints.workers)\n")
            }
        } catch {
            throw Server.exit(for: error)
        }
        try await Server.run(coordinator, exitsWithStdin: server.exitWithStdin, logger: logger)
    }
}
