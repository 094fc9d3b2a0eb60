import ApusModel
import ApusSimulator
import Foundation

/// The comparison of the batch policies, for people and for programs.
struct BatchReport {
    private let scenario = BatchScenario()
    private let seeds: [UInt64]
    private let outcomes: [(policy: String, mean: BatchOutcome)]

    /// Runs the scenario with every policy; blocks until it is done.
    ///
    /// - Parameters:
    ///   - firstSeed: The first seed.
    ///   - count: How many seeds, 1 or more.
    init(firstSeed: UInt64, count: Int) {
        let seeds = (0..<UInt64(count)).map { firstSeed &+ $0 }
        self.seeds = seeds
        outcomes = scenario.compared(seeds: seeds)
    }

    /// The scenario, an aligned table, and the command.
    var text: String {
        let cost = scenario.stepCost
        let parameters = [
            "worker      step \(cost.base) + \(cost.row) ms a row + \(cost.context) ms for 1,024 tokens of context, 5 % "
                + "more or less; one in \(Int(1 / scenario.hiccups)) 8 times as long; prompts \(cost.prefill) ms a token, "
                + "\(scenario.prefillBudget) tokens a step",
            "machine     \(scenario.slowness.factor) times slower from \(percent(scenario.slowness.from)) to "
                + "\(percent(scenario.slowness.to)) of \(Int(scenario.length.milliseconds / 1_000)) s",
            "streams     \(scenario.arrivals.burst) a second for \(scenario.phases.burst) s, then "
                + "\(scenario.arrivals.calm) a second for \(scenario.phases.calm) s, and so on; prompts "
                + "\(scenario.tokens.prompts) tokens, outputs \(scenario.tokens.outputs), by logarithm",
            "batch       \(scenario.batch), target \(Int(scenario.target.milliseconds)) ms; aimd: at most twice that",
            "values      means over \(seeds.count) seeds, the same for both policies",
        ]
        var lines = [["policy"] + BatchOutcome.columns.map(\.name)]
        for outcome in outcomes {
            lines.append(
                [outcome.policy]
                    + BatchOutcome.columns.map { column in
                        String(format: "%.\(column.digits)f", outcome.mean[keyPath: column.path] * column.scale)
                    }
            )
        }
        let widths = lines[0].indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
        let table = lines.map { cells in
            zip(cells, widths).enumerated().map { place, cell in
                let padding = String(repeating: " ", count: cell.1 - cell.0.count)
                return place == 0 ? cell.0 + padding : padding + cell.0
            }.joined(separator: "  ")
        }
        let command = "swift run -c release apus-sim --batching --seeds \(seeds.count) --seed \(seeds[0])"
        return (parameters + [""] + table + ["", command]).joined(separator: "\n")
    }

    private struct Row: Encodable {
        let policy: String
        let values: [String: Double]
    }

    /// A JSON array with an object a policy.
    var json: String {
        let rows = outcomes.map { outcome in
            let values = BatchOutcome.columns.map { ($0.name, outcome.mean[keyPath: $0.path] * $0.scale) }
            return Row(policy: outcome.policy, values: Dictionary(uniqueKeysWithValues: values))
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(rows) else { preconditionFailure("plain values can be encoded") }
        return String(decoding: data, as: UTF8.self)
    }

    private func percent(_ part: Double) -> String { "\(Int(part * 100)) %" }
}
