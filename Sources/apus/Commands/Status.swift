import ApusClient
import ApusModel
import ArgumentParser

/// Shows the cluster's status.
struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show workers, streams, times and failovers.",
        discussion: """
            Examples:

              apus status
              apus status --watch
              apus status --output json | jq '.workers[].name'

            With --output json there is one object a line, with stable names:
              coordinator version pid uptime_ms journal clients memory_bytes cpu_ms
              journal_status: failure failing_ms disk_bytes used_bytes limit_bytes
                memory_bytes jobs commits commit_ms
              streams: active queued completed failed cancelled
              failovers hedges tokens tokens_per_second rejected malformed stale
              ttft_ms inter_token_ms queue_wait_ms: count p50 p95 p99 max
              workers: name pid host model engine state slots active batch_size
                batch_limit tokens_per_second ttft_ms inter_token_ms queue_wait_ms
                step_ms prefill_ms last_beat_ms failures tokens exactness
                fingerprint incarnation context_tokens memory_bytes
                load: memory refusing bound policy prompt_tokens cached_tokens
                  cache_hit_rate cache_bytes granted_tokens granted_ahead_tokens
                  lookahead_hit_rate drafted_tokens accepted_tokens acceptance_rate
                  errors recovered

            Shares are between 0 and 1. In the table, TTFT (to the first token) and ITL
            (between tokens) are the median and the 95th percentile in ms; CACHE is the
            share of the prompts' tokens that was found computed; MEM MB names the memory's
            level (warning, pressure, critical) where it is not normal; EXACT says whether
            the worker proved that its streams can be continued bit for bit.

            A worker's state is ready, draining, slow (much slower than its own
            history; its streams are hedged), quarantined (failed lately), suspect
            (silent or hung) or lost. Slow and quarantined ones get work only where
            nobody better is.
            """
    )

    @OptionGroup var client: ClientOptions

    @Flag(help: "Show it anew every second, until Ctrl-C.")
    var watch = false

    @Option(help: ArgumentHelp("How to print the status: table or json.", valueName: "format"))
    var output: ListFormat = .table

    func run() async throws {
        guard watch else {
            return try await ApusClient.withClient(client.configuration(name: "apus-status")) { connection in
                try show(try await connection.status())
            }
        }
        let screen = StatusScreen(isInPlace: output == .table && Terminal.isInteractive)
        try screen.open()
        defer { screen.close() }
        let status = try await Interruption.interruptible { [self] in
            try await ApusClient.withClient(client.configuration(name: "apus-status")) { connection in
                while !Task.isCancelled {
                    let status = try await connection.status()
                    if screen.isInPlace { try screen.draw(StatusTable.lines(status)) } else { try show(status) }
                    try await Task.sleep(for: .seconds(1))
                }
                return .interrupted
            }
        }
        throw CommandExit(status)
    }

    private func show(_ status: ClusterStatus) throws {
        switch output {
        case .table: try Terminal.write(StatusTable.lines(status).map { $0 + "\n" }.joined())
        case .json: try Terminal.write(try JSONLine.encode(status))
        }
    }
}
