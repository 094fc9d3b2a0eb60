import ApusClient
import ApusModel
import ArgumentParser

/// Lists jobs.
struct Jobs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the newest jobs.",
        discussion: """
            Examples:

              apus jobs
              apus jobs --limit 1000 --output json
              apus jobs --dead

            With --output json there is one object a line, newest first: job, choice,
            state, priority, client, model, tokens, max_tokens, worker, attempts,
            continuity, age_ms, key, and error for a failed job. A job of several choices
            has a line for each. A state is queued, streaming, paused (its readers take
            no more) or the reason of its end. --dead lists what failed or expired within
            the retention, the newest end first, with the cause; try one again with
            `apus retry`.
            """
    )

    @OptionGroup var client: ClientOptions

    @Option(help: ArgumentHelp("The most jobs to list.", valueName: "n"))
    var limit: Int = 100

    @Flag(help: "List what failed or expired, with the cause.")
    var dead = false

    @Option(help: ArgumentHelp("How to print the list: table or json.", valueName: "format"))
    var output: ListFormat = .table

    func run() async throws {
        let jobs = try await ApusClient.withClient(client.configuration(name: "apus-jobs")) { connection in
            try await connection.jobs(limit: limit, dead: dead)
        }
        switch output {
        case .table:
            try Terminal.write((dead ? JobsTable.deadLines(jobs) : JobsTable.lines(jobs)).map { $0 + "\n" }.joined())
        case .json: for job in jobs { try Terminal.write(try JSONLine.encode(job)) }
        }
    }
}
