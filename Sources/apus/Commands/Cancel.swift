import ApusClient
import ApusModel
import ArgumentParser

/// Cancels a job.
struct Cancel: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Cancel a job.",
        discussion: """
            Example:

              apus cancel 0c9f3v7k2m1qa
            """
    )

    @OptionGroup var client: ClientOptions

    @Argument(help: "The job's id, as submit and jobs print it.")
    var job: JobID

    func run() async throws {
        try await ApusClient.withClient(client.configuration(name: "apus-cancel")) { connection in
            try await connection.cancel(job)
        }
        Terminal.printError("cancelled \(job)")
    }
}
