import ApusClient
import ApusModel
import ArgumentParser

/// Follows a job's stream.
struct Attach: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Follow one of a job's streams, from any index.",
        discussion: """
            Examples:

              apus attach 0c9f3v7k2m1qa
              apus attach 0c9f3v7k2m1qa --from 120 --output json
              apus attach 0c9f3v7k2m1qa --choice 2
              apus attach --key nightly-7

            The events of --output json are those of `apus submit`. Ctrl-C stops following; the job goes on.
            """
    )

    @OptionGroup var client: ClientOptions

    @Option(name: .customLong("from"), help: ArgumentHelp("The first index to print.", valueName: "index"))
    var index: Int = 0

    @Option(help: ArgumentHelp("Which of the job's streams, from 0.", valueName: "k"))
    var choice: Int = 0

    @Option(help: ArgumentHelp("How to print the stream: text or json.", valueName: "format"))
    var output: StreamFormat = .text

    @Flag(help: "Print the session's summary after the text, on the error output.")
    var summary = false

    @Option(help: "The job's idempotency key, instead of its id.")
    var key: String?

    @Argument(help: "The job's id, as submit and jobs print it.")
    var job: JobID?

    func validate() throws {
        guard (job == nil) != (key == nil) else {
            throw ValidationError("Name the job by its id or by --key, one of them.")
        }
    }

    func run() async throws {
        try await BrokenStream.reported(as: output) { [self] in try await attach() }
    }

    private func attach() async throws -> ExitStatus {
        try await ApusClient.withClient(client.configuration(name: "apus-attach")) { connection in
            let start = ContinuousClock.now
            let stream =
                if let job {
                    try await connection.attach(job, choice: choice, from: index)
                } else {
                    try await connection.attach(key: key ?? "", choice: choice, from: index)
                }
            return try await StreamPrinter(format: output, showsSummary: summary).print([stream], since: start)
        }
    }
}
