import ApusSimulator
import Foundation

/// The comparison of the placement policies, for people and for programs.
struct PolicyReport {
    let comparison: PolicyComparison
    let rows: [PolicyRow]
    let problems: [String]

    /// The command that makes the same table.
    private var command: String {
        "swift run -c release apus-sim --policies --seeds \(comparison.seeds) --seed \(comparison.firstSeed)"
    }

    // MARK: - Text

    /// The workload, an aligned table, and the command.
    var text: String {
        (parameters + [""] + table + [""] + problems + [command]).joined(separator: "\n")
    }

    private var parameters: [String] {
        let workload = comparison.workload
        let objective = comparison.objective
        return [
            "workers     \(workload.workers), \(workload.slots) slots each; one half: step "
                + "\(milliseconds(workload.stepTime)) + \(milliseconds(workload.streamTime)) ms a stream, prompts "
                + "\(milliseconds(workload.prefillTime)) ms a token, \(workload.prefillBudget) tokens a step; other half "
                + "\(workload.slowFactor) times slower; \(workload.cachedBlocks) blocks of 128 tokens kept",
            "jobs        \(workload.jobs.grouped) a run, the first \(number(workload.warmUp * 100)) % not measured; "
                + "100 % load is \(number(workload.capacity, 1)) jobs/s: all slots always in use, "
                + "\(number(workload.cachedPart * 100)) % of the prompt tokens cached",
            "arrivals    each client active for \(number(workload.meanActivity)) s and silent for "
                + "\(number(workload.meanSilence)) s on average, Poisson while active",
            "clients     30 % of the jobs; 20 % with a double share; five times 10 %",
            "prompts     1 of \(workload.systemPrompts) shared beginnings of 1-\(workload.longestSystemPrompt) blocks, Zipf "
                + "\(number(workload.zipfExponent, 1)), mean \(number(workload.meanSharedTokens)) tokens; then log-normal, median "
                + "\(number(workload.promptMedian)), sigma \(number(workload.promptSpread, 1)), at most "
                + "\(workload.longestPrompt.grouped)",
            "answers     log-normal, median \(number(workload.outputMedian)), sigma \(number(workload.outputSpread, 1)), "
                + "at most \(workload.longestOutput.grouped)",
            "objective   first token within \(number(objective.firstToken)) ms, mean time a token at most "
                + "\(number(objective.tokenTime)) ms",
            "fairness    Jain's index of the mean TTFT over the five equal clients",
            "values      means over \(comparison.seeds) seeds, the same for all policies; in brackets, of round robin's",
        ]
    }

    private var table: [String] {
        var lines = [["load", "policy"] + PolicyMeasurement.columns.map(\.name)]
        for row in rows {
            lines.append(
                ["\(number(row.load * 100)) %", row.policy.title]
                    + PolicyMeasurement.columns.map { column in
                        let value = row.mean[keyPath: column.path] * column.scale
                        let ratio = ratio(of: row, column).map { " (\(number($0, 2)))" } ?? ""
                        return number(value, column.digits) + ratio
                    }
            )
        }
        let widths = lines[0].indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
        return lines.map { cells in
            zip(cells, widths).enumerated().map { place, cell in
                let padding = String(repeating: " ", count: cell.1 - cell.0.count)
                return place < 2 ? cell.0 + padding : padding + cell.0
            }.joined(separator: "  ")
        }
    }

    /// What a quantity is of the first policy's at the same load; `nil` for the first policy itself.
    private func ratio(of row: PolicyRow, _ column: PolicyMeasurement.Column) -> Double? {
        guard row.policy != comparison.policies[0],
            let base = rows.first(where: { $0.load == row.load && $0.policy == comparison.policies[0] }),
            base.mean[keyPath: column.path] != 0
        else { return nil }
        return row.mean[keyPath: column.path] / base.mean[keyPath: column.path]
    }

    private func milliseconds(_ nanoseconds: Int64) -> String { "\(Double(nanoseconds) / 1e6)" }

    private func number(_ value: Double, _ digits: Int = 0) -> String {
        let text = String(format: "%.\(digits)f", value)
        guard digits == 0, let whole = Int(text) else { return text }
        return whole.grouped
    }

    // MARK: - JSON

    private struct Content: Encodable {
        struct Row: Encodable {
            let load: Double
            let policy: String
            let jobs: Int
            let ttft_p50_ms: Double
            let ttft_p99_ms: Double
            let token_p50_ms: Double
            let token_p99_ms: Double
            let goodput_per_s: Double
            let hit_rate: Double
            let fairness: Double
        }

        let seeds: Int
        let first_seed: UInt64
        let capacity_jobs_per_s: Double
        let objective_ttft_ms: Double
        let objective_token_ms: Double
        let rows: [Row]
        let problems: [String]
        let command: String
    }

    /// One JSON object.
    var json: String {
        let content = Content(
            seeds: comparison.seeds,
            first_seed: comparison.firstSeed,
            capacity_jobs_per_s: comparison.workload.capacity,
            objective_ttft_ms: comparison.objective.firstToken,
            objective_token_ms: comparison.objective.tokenTime,
            rows: rows.map { row in
                Content.Row(
                    load: row.load,
                    policy: row.policy.title,
                    jobs: row.mean.jobs,
                    ttft_p50_ms: row.mean.firstTokenP50,
                    ttft_p99_ms: row.mean.firstTokenP99,
                    token_p50_ms: row.mean.tokenTimeP50,
                    token_p99_ms: row.mean.tokenTimeP99,
                    goodput_per_s: row.mean.goodput,
                    hit_rate: row.mean.hitRate,
                    fairness: row.mean.fairness
                )
            },
            problems: problems,
            command: command
        )
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(content) else { preconditionFailure("plain values can be encoded") }
        return String(decoding: data, as: UTF8.self)
    }
}
