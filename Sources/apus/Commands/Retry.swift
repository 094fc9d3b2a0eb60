import ApusClient
import ApusModel
import ArgumentParser

/// Tries a job again that failed.
struct Retry: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Try a job again that failed or expired.",
        discussion: """
            Example:

              apus jobs --dead
              apus retry 0c9f3v7k2m1qa

            Makes a new job with the same request, seed and key, and prints its id; see its
            output with `apus attach`. The old one is kept until its retention is over.
            """
    )

    @OptionGroup var client: ClientOptions

    @Argument(help: "The job's id, as `apus jobs --dead` lists it.")
    var job: JobID

    func run() async throws {
        let new = try await ApusClient.withClient(client.configuration(name: "apus-retry")) { connection in
            try await connection.retry(job)
        }
        try Terminal.write("\(new)\n")
    }
}
