import ApusClient
import ApusModel

/// Prints a stream as it comes: one write a batch, so that tokens appear when they arrive.
struct StreamPrinter {
    /// How to print.
    let format: StreamFormat

    /// Prints a stream to its end.
    ///
    /// - Returns: The exit status that the stream's end stands for.
    /// - Throws: `BrokenStream` where the stream can't be followed; `CommandExit` where the reader is gone.
    func print(_ stream: TokenStream, since start: ContinuousClock.Instant) async throws -> ExitStatus {
        if format == .json { try Terminal.write(EventLines.accepted(job: stream.job, seed: stream.seed)) }
        var tokens = 0
        var firstToken: Duration?
        var endsWithNewline = true
        do {
            for try await batch in stream.batches {
                if firstToken == nil { firstToken = start.duration(to: .now) }
                tokens += batch.count
                switch format {
                case .json: try Terminal.write(EventLines.tokens(batch))
                case .text:
                    if batch.utf8.isEmpty { continue }
                    try Terminal.writeModelText(batch.utf8)
                    endsWithNewline = batch.utf8.last == UInt8(ascii: "\n")
                }
            }
        } catch let error as ApusError {
            if format == .text, !endsWithNewline { try Terminal.write("\n") }
            // A failed job throws its error too; there the end below tells more.
            guard stream.end != nil else { throw BrokenStream(error: error) }
        }
        guard let end = stream.end else { throw ApusError(.internalFailure, "the stream ended without an end") }
        switch format {
        case .json: try Terminal.write(EventLines.finished(end))
        case .text:
            if end.reason.isSuccess, !endsWithNewline { try Terminal.write("\n") }
            let total = start.duration(to: .now)
            Terminal.printError(Terminal.dim(summary(end, tokens: tokens, firstToken: firstToken, total: total)))
            if let error = end.error { Terminal.complain(error.message) }
        }
        return ExitStatus(end)
    }

    /// What is worth knowing about a stream in one line.
    func summary(_ end: StreamEnd, tokens: Int, firstToken: Duration?, total: Duration) -> String {
        var parts = ["\(end.reason.rawValue): \(tokens) tokens"]
        if let firstToken {
            let generating = (total - firstToken).inSeconds
            if tokens > 1, generating > 0 {
                parts.append("\(StatusTable.decimal(Double(tokens - 1) / generating)) tok/s")
            }
            parts.append("first after \(StatusTable.decimal(firstToken.milliseconds)) ms")
        }
        if end.attempts > 1 { parts.append("\(end.attempts) attempts, continuity \(end.continuity.rawValue)") }
        return "[" + parts.joined(separator: ", ") + "]"
    }
}
