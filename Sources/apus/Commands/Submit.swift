import ApusClient
import ApusModel
import ArgumentParser
import Foundation

/// Submits a job and prints its stream.
struct Submit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Submit a prompt and print the answer as it comes.",
        discussion: """
            Examples:

              apus submit "Why do swifts sleep on the wing?"
              apus submit --temperature 0.8 --seed 7 --max-tokens 64 "Name three birds."
              cat letter.txt | apus submit --output json -
              apus submit --priority low --client-name reports "Sum the year up."

            With --output json there is one object a line, its kind in `event`:
            accepted, token (many), finished; or error. Ctrl-C cancels the job.
            """
    )

    @OptionGroup var client: ClientOptions
    @OptionGroup var generation: GenerationOptions

    @Option(
        help: ArgumentHelp(
            "Idempotency key: the same key with the same request is the same job; default random.",
            valueName: "key"
        )
    )
    var key: String?

    @Option(
        help: ArgumentHelp(
            "Whose share of the workers the job takes, see `apus coordinator --share`; default: the user's login name.",
            valueName: "name"
        )
    )
    var clientName: ClientName?

    @Option(help: ArgumentHelp("How to print the stream: text or json.", valueName: "format"))
    var output: StreamFormat = .text

    @Flag(help: "Print the job's id and leave the job running; follow it with `apus attach`.")
    var detach = false

    @Argument(help: "The prompt; - reads it from the standard input.")
    var prompt: String

    func run() async throws {
        // Before Ctrl-C is trapped: a read that waits for its input can only be ended by the signal itself.
        let text = Result { () throws(ApusError) in try Self.text(of: prompt) }
        try await BrokenStream.reported(as: output) { [self] in try await submit(try text.get()) }
    }

    private func submit(_ prompt: String) async throws -> ExitStatus {
        let request = try generation.request(prompt: prompt)
        let name = clientName ?? Self.defaultName(login: NSUserName())
        return try await ApusClient.withClient(client.configuration(name: name.text)) { connection in
            let start = ContinuousClock.now
            let stream = try await connection.submit(request, key: key)
            guard detach else { return try await StreamPrinter(format: output).print(stream, since: start) }
            stream.detach()
            switch output {
            case .text: try Terminal.write("\(stream.job)\n")
            case .json: try Terminal.write(EventLines.accepted(job: stream.job, seed: stream.seed))
            }
            return .done
        }
    }

    /// The name of a user's jobs; `apus-submit` for a login name that can't be a client's.
    static func defaultName(login: String) -> ClientName {
        ClientName(login) ?? ClientName(unchecked: "apus-submit")
    }

    /// The prompt, from the argument or the standard input.
    ///
    /// - Throws: `invalidRequest` where the input is too long or no UTF-8.
    private static func text(of argument: String) throws(ApusError) -> String {
        guard argument == "-" else { return argument }
        var bytes = Data()
        // One byte over the limit is enough to know; validation names the limit.
        while bytes.count <= Limits.promptBytes {
            let part: Data?
            do {
                part = try FileHandle.standardInput.read(upToCount: Limits.promptBytes + 1 - bytes.count)
            } catch {
                throw ApusError(.invalidRequest, "the standard input can't be read: \(error.localizedDescription)")
            }
            guard let part, !part.isEmpty else { break }
            bytes.append(part)
        }
        if bytes.count > Limits.promptBytes {
            throw ApusError(.invalidRequest, "the prompt has more than the \(Limits.promptBytes) bytes that are taken")
        }
        guard let text = String(bytes: bytes, encoding: .utf8) else {
            throw ApusError(.invalidRequest, "the standard input is not UTF-8 text")
        }
        return text
    }
}
