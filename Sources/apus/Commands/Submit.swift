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
              apus submit --message "user=Hi." --message "assistant=Yes?" "And now?"
              apus submit --system "Be brief." --json-schema-file bird.json "A swift."
              apus submit -n 3 --temperature 1 --summary "A name for a cat."

            Several choices are printed one after the other, each under a line
            `== choice K ==`; the first one as it comes.

            With --output json there is one object a line, as it happens, its kind in
            `event` and its stream in `choice`:
              accepted: job choice seed (one a choice)
              token: choice index id text; with --logprobs: logprob top (id text logprob)
              finished: choice reason continuity attempts error (code message)
                usage: prompt_tokens completion_tokens total_tokens
                timings: queue_wait_ms ttft_ms total_ms, and stages: queue_ms dispatch_ms
                  tokenize_ms prefill_ms sample_ms transfer_ms
                summary: tokens_per_second end_to_end_tokens_per_second mean_token_ms
                  p95_token_ms measured_tokens peak_memory_bytes errors recovered
                  error_rate batch_size cached_prompt_tokens drafted_tokens accepted_tokens
              error: code message retry_after_ms, where nothing else can come
            What nobody measured is absent. Ctrl-C cancels the job.
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

    @Flag(help: "Print the session's summary after the text, on the error output.")
    var summary = false

    @Flag(help: "Print the job's id and leave the job running; follow it with `apus attach`.")
    var detach = false

    @Argument(help: "The prompt; - reads it from the standard input. Not needed where there are messages.")
    var prompt: String?

    func validate() throws {
        if prompt == nil, !generation.prompt.isChat {
            throw ValidationError("Give a prompt, or a chat with --message.")
        }
    }

    func run() async throws {
        // Before Ctrl-C is trapped: a read that waits for its input can only be ended by the signal itself.
        let text = Result { () throws(ApusError) in try Self.text(of: prompt) }
        try await BrokenStream.reported(as: output) { [self] in try await submit(try text.get()) }
    }

    private func submit(_ prompt: String?) async throws -> ExitStatus {
        let request = try generation.request(prompt: prompt)
        let name = clientName ?? Self.defaultName(login: NSUserName())
        return try await ApusClient.withClient(client.configuration(name: name.text)) { connection in
            let start = ContinuousClock.now
            let streams = try await connection.submitChoices(request, key: key)
            guard detach else {
                return try await StreamPrinter(format: output, showsSummary: summary).print(streams, since: start)
            }
            for stream in streams { stream.detach() }
            switch output {
            case .text: try Terminal.write("\(streams[0].job)\n")
            case .json:
                for stream in streams {
                    try Terminal.write(EventLines.accepted(job: stream.job, choice: stream.choice, seed: stream.seed))
                }
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
    private static func text(of argument: String?) throws(ApusError) -> String? {
        argument == "-" ? try InputText.readStandardInput(limit: Limits.promptBytes) : argument
    }
}
