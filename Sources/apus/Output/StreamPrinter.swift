import ApusClient
import ApusModel

/// Prints a job's streams as they come: one write a batch, so that tokens appear when they arrive.
struct StreamPrinter {
    /// How to print.
    let format: StreamFormat

    /// Whether a text's end is followed by its session's summary, on the error output.
    var showsSummary = false

    /// Prints streams to their ends.
    ///
    /// JSON comes as it happens on any of them. Texts come one after the other, each complete: the first as it comes, what
    /// comes meanwhile on the others is kept.
    ///
    /// - Returns: The exit status that the streams' ends stand for; of several the first that is not good.
    /// - Throws: `BrokenStream` where a stream can't be followed; `CommandExit` where the reader is gone.
    func print(_ streams: [TokenStream], since start: ContinuousClock.Instant) async throws -> ExitStatus {
        let output = StreamOutput(format: format, choices: streams.map(\.choice))
        try await output.begin(streams)
        let outcomes = try await withThrowingTaskGroup(of: (place: Int, Result<ExitStatus, BrokenStream>).self) {
            group in
            for (place, stream) in streams.enumerated() {
                group.addTask { (place, try await follow(stream, at: place, since: start, on: output)) }
            }
            var outcomes: [Result<ExitStatus, BrokenStream>?] = Array(repeating: nil, count: streams.count)
            for try await (place, outcome) in group { outcomes[place] = outcome }
            return outcomes.compactMap { $0 }
        }
        let broken = outcomes.compactMap { outcome in if case .failure(let error) = outcome { error } else { nil } }
        for error in broken.dropFirst() { try await output.broken(error) }
        if let first = broken.first { throw first }
        return outcomes.lazy.compactMap { try? $0.get() }.first { $0 != .done } ?? .done
    }

    private func follow(
        _ stream: TokenStream,
        at place: Int,
        since start: ContinuousClock.Instant,
        on output: StreamOutput
    ) async throws -> Result<ExitStatus, BrokenStream> {
        var tokens = 0
        var firstToken: Duration?
        do {
            for try await batch in stream.batches {
                if firstToken == nil { firstToken = start.duration(to: .now) }
                tokens += batch.count
                try await output.write(batch, at: place)
            }
        } catch let error as ApusError {
            // A failed job throws its error too; there the end below tells more.
            guard stream.end != nil else {
                try await output.finish(place, notes: [])
                return .failure(BrokenStream(error: error, choice: stream.choices > 1 ? stream.choice : nil))
            }
        }
        guard let end = stream.end else { throw ApusError(.internalFailure, "the stream ended without an end") }
        switch format {
        case .json: try await output.write(EventLines.finished(end, choice: stream.choice))
        case .text:
            let total = start.duration(to: .now)
            var notes = [Terminal.dim(summary(end, tokens: tokens, firstToken: firstToken, total: total))]
            if showsSummary { notes += SummaryLines.lines(end).map(Terminal.dim) }
            if let error = end.error { notes.append(Terminal.complaint(error.message)) }
            try await output.finish(place, notes: notes)
        }
        return .success(ExitStatus(end))
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
