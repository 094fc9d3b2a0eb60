import ApusModel

/// A stream's session as people read it: what `--summary` adds on the error output.
enum SummaryLines {
    /// The lines for an end; what nobody measured is left out.
    static func lines(_ end: StreamEnd) -> [String] {
        var lines = [usage(end)]
        if let first = firstToken(end.timings) { lines.append(first) }
        if let times = tokenTimes(end) { lines.append(times) }
        guard let summary = end.summary else { return lines }
        var worker = ["peak memory \(StatusTable.megabytes(summary.peakMemoryBytes)) MB"]
        if summary.batchSize > 0 { worker.append("most common batch \(summary.batchSize)") }
        if summary.draftedTokens > 0 {
            worker.append("\(summary.acceptedTokens) of \(summary.draftedTokens) guessed tokens accepted")
        }
        lines.append(line("worker", worker))
        let rate = SessionFigures(end).errorRate ?? 0
        lines.append(
            line("errors", ["\(summary.errors), recovered \(summary.recovered)", "\(percent(rate)) a token"])
        )
        return lines
    }

    private static func usage(_ end: StreamEnd) -> String {
        var prompt = "prompt \(end.usage.promptTokens) tokens"
        let cached = end.summary?.cachedTokens ?? end.timings.stages?.cachedTokens ?? 0
        if cached > 0 { prompt += " (\(cached) cached)" }
        return line(
            "usage",
            [prompt, "answer \(end.usage.completionTokens) tokens", "total \(end.usage.totalTokens)"]
        )
    }

    private static func firstToken(_ timings: StreamTimings) -> String? {
        guard let first = timings.firstToken else { return nil }
        var parts: [(String, Duration?)] = [("queue", timings.queueWait)]
        if let stages = timings.stages {
            parts += [
                ("dispatch", stages.dispatch), ("tokenize", stages.tokenize), ("prefill", stages.prefill),
                ("sample", stages.sample), ("transfer", timings.transfer),
            ]
        }
        let stages = parts.compactMap { name, time in time.map { "\(name) \(milliseconds($0))" } }
        return line(
            "first token",
            ["\(milliseconds(first)) ms" + (stages.isEmpty ? "" : ": " + stages.joined(separator: ", "))]
        )
    }

    private static func tokenTimes(_ end: StreamEnd) -> String? {
        var parts: [String] = []
        if let summary = end.summary, summary.meanTokenTime > .zero {
            parts.append("mean \(milliseconds(summary.meanTokenTime)) ms")
            parts.append("p95 \(milliseconds(summary.p95TokenTime)) ms")
        }
        let figures = SessionFigures(end)
        if let rate = figures.tokensPerSecond { parts.append("\(StatusTable.decimal(rate)) tok/s") }
        if let rate = figures.endToEndTokensPerSecond { parts.append("\(StatusTable.decimal(rate)) tok/s end to end") }
        return parts.isEmpty ? nil : line("tokens", parts)
    }

    private static func line(_ name: String, _ parts: [String]) -> String {
        name + String(repeating: " ", count: 13 - name.count) + parts.joined(separator: ", ")
    }

    private static func milliseconds(_ time: Duration) -> String { StatusTable.decimal(time.milliseconds) }

    private static func percent(_ share: Double) -> String { StatusTable.decimal(share * 100) + " %" }
}
