import ApusClient
import ApusModel
import ArgumentParser

/// Drains workers.
struct Drain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Let a worker finish its streams and take no new ones.",
        discussion: """
            Examples:

              apus drain worker-1
              apus drain --all
            """
    )

    @OptionGroup var client: ClientOptions

    @Flag(help: "Drain all workers.")
    var all = false

    @Argument(help: "The worker's name, as status prints it.")
    var worker: WorkerName?

    func validate() throws {
        if all == (worker != nil) { throw ValidationError("Name a worker, or give --all.") }
    }

    func run() async throws {
        try await ApusClient.withClient(client.configuration(name: "apus-drain")) { connection in
            try await connection.drain(worker)
        }
        Terminal.printError("draining \(worker?.text ?? "all workers")")
    }
}
