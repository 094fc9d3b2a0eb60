import Foundation

/// The rounds of the pipeline benchmark: speeds of both programs by the number of streams.
struct PipelineRounds {
    private struct Speeds {
        var streams: Int
        var base: [Double] = []
        var greedy: [Double] = []
        var sampled: [Double] = []
        var name: String { "\(streams) stream\(streams == 1 ? "" : "s")" }
    }

    private var rows: [Speeds] = []
    private var promptBase: [Double] = []
    private var prompts: [Double] = []

    /// Takes a round's generation speeds.
    mutating func note(streams: Int, base: Double, greedy: Double, sampled: Double) {
        if !rows.contains(where: { $0.streams == streams }) { rows.append(Speeds(streams: streams)) }
        for row in rows.indices where rows[row].streams == streams {
            rows[row].base.append(base)
            rows[row].greedy.append(greedy)
            rows[row].sampled.append(sampled)
        }
    }

    /// Takes a round's prompt speeds.
    mutating func note(base: Double, prompts speed: Double) {
        promptBase.append(base)
        prompts.append(speed)
    }

    /// Prints the table and adds the ratios to the figures.
    func report(into figures: inout Figures) {
        let sampler = "T 0.8, top-k 40, top-p 0.95"
        var table = TextTable(["tokens/s", "llama-batched-bench", "apus, greedy", "ratio", "apus, \(sampler)", "ratio"])
        for row in rows {
            let name = row.name
            let (greedy, sampled) = (Self.ratio(row.greedy, row.base), Self.ratio(row.sampled, row.base))
            table.add([
                name, Self.speed(row.base), Self.speed(row.greedy), Self.text(greedy), Self.speed(row.sampled),
                Self.text(sampled),
            ])
            figures.add("generation / llama-batched-bench, \(name), greedy", greedy, "x", goal: .atLeast(0.95))
            figures.add("generation / llama-batched-bench, \(name), \(sampler)", sampled, "x", goal: .atLeast(0.9))
        }
        let ratio = Self.ratio(prompts, promptBase)
        table.add(["prompt", Self.speed(promptBase), Self.speed(prompts), Self.text(ratio), "", ""])
        figures.add("prompt / llama-batched-bench", ratio, "x", goal: .atLeast(0.85))
        for row in rows {
            let name = row.name
            figures.add("llama-batched-bench, \(name)", Self.median(row.base), "tokens/s")
            figures.add("apus greedy, \(name)", Self.median(row.greedy), "tokens/s")
            figures.add("apus \(sampler), \(name)", Self.median(row.sampled), "tokens/s")
        }
        figures.add("llama-batched-bench, prompt", Self.median(promptBase), "tokens/s")
        figures.add("apus, prompt", Self.median(prompts), "tokens/s")
        print(table.plain + "\n")
    }

    /// The median of the rounds' ratios: each round saw one machine.
    private static func ratio(_ values: [Double], _ bases: [Double]) -> Double {
        median(zip(values, bases).map { $0 / $1 })
    }

    private static func median(_ values: [Double]) -> Double { Figures.median(values) }

    private static func speed(_ values: [Double]) -> String { String(format: "%.0f", median(values)) }

    private static func text(_ ratio: Double) -> String { String(format: "%.2f", ratio) }
}
