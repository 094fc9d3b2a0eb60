import ApusCoordinator
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
              apus coordinator --data /var/lib/apus --retention 48

            Prints `READY clients=ENDPOINT workers=ENDPOINT` when it serves. Port *
            picks a free one. What it accepts is on disk before it says so: killed and
            started again it goes on with every job, and its clients with it.
            """
    )

    @Option(help: ArgumentHelp("Where to listen for clients.", valueName: "endpoint"))
    var clients: String = "tcp://127.0.0.1:5700"

    @Option(help: ArgumentHelp("Where to listen for workers.", valueName: "endpoint"))
    var workers: String = "tcp://127.0.0.1:5701"

    @OptionGroup(title: "Journal")
    var journal: JournalOptions

    @OptionGroup var clientShares: ShareOptions
    @OptionGroup var server: ServerOptions

    func run() async throws {
        let logger = server.logger("coordinator")
        Server.warnIfOpen(clients)
        Server.warnIfOpen(workers)
        let shares = try clientShares.weights()
        let coordinator: Coordinator
        let journal = try journal.open()
        do {
            coordinator = try Coordinator(
                configuration: CoordinatorConfiguration(clients: clients, workers: workers, shares: shares),
                journal: journal,
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
