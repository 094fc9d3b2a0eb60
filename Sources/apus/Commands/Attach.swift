import ApusClient
import ApusModel
import ArgumentParser

/// Follows a job's stream.
struct Attach: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Follow a job's stream, from any index.",
        discussion: """
            Examples:

              apus attach 0c9f3v7k2m1qa
              apus attach 0c9f3v7k2m1qa --from 120 --output json

            Ctrl-C stops following; the job goes on.
            """
    )

    @OptionGroup var client: ClientOptions

    @Option(name: .customLong("from"), help: ArgumentHelp("The first index to print.", valueName: "index"))
    var index: Int = 0

    @Option(help: ArgumentHelp("How to print the stream: text or json.", valueName: "format"))
    var output: StreamFormat = .text

    @Argument(help: "The job's id, as submit and jobs print it.")
    var job: JobID

    func run() async throws {
        try await BrokenStream.reported(as: output) { [self] in try await attach() }
    }

    private func attach() async throws -> ExitStatus {
        try await ApusClient.withClient(client.configuration(name: "apus-attach")) { connection in
            let start = ContinuousClock.now
            let stream = try await connection.attach(job, from: index)
            return try await StreamPrinter(format: output).print(stream, since: start)
        }
    }
}
