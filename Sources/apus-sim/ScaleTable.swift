import ApusModel
import ApusSimulator
import Foundation

/// The results of a scale run, one column a size.
struct ScaleTable {
    /// Bytes that a coordinator keeps of a worker and of a stream.
    struct Memory {
        let worker: Int
        let stream: Int
    }

    let seed: UInt64
    let reports: [ScaleReport]
    let memories: [Memory]

    /// Broken promises of all sizes.
    var violations: [Violation] { reports.flatMap(\.world.violations) }

    /// A table in Markdown, and a line for each broken promise.
    var markdown: String {
        var lines = ["seed \(seed)", ""]
        lines.append(row("workers", reports.map { $0.workers.grouped }))
        lines.append("|---|" + String(repeating: "---:|", count: reports.count))
        lines.append(row("streams", reports.map { $0.streams.grouped }))
        lines.append(row("streams at once", reports.map { $0.concurrent.grouped }))
        lines.append(row("streams lost in the storm", reports.map { $0.lost.grouped }))
        lines.append(row("attempts that went on elsewhere", reports.map { $0.failovers.grouped }))
        lines.append(
            row("streams completed / failed", reports.map { "\($0.completed.grouped) / \($0.failed.grouped)" })
        )
        lines.append(row("violations", reports.map { $0.world.violations.count.grouped }))
        lines.append(row("virtual time", reports.map { Self.seconds($0.world.virtualTime) }))
        lines.append(row("real time, checkers included", reports.map { Self.seconds($0.realTime) }))
        lines.append(row("events", reports.map { $0.world.events.grouped }))
        lines.append(row("tokens", reports.map { $0.world.tokens.grouped }))
        lines.append(row("choice of a worker, mean / p99", reports.map { Self.micro($0.placement) }))
        lines.append(row("`turnEnded` by lease, mean / p99", reports.map { Self.micro($0.dispatch) }))
        lines.append(row("the same after the storm, mean / p99", reports.map { Self.micro($0.stormDispatch) }))
        lines.append(row("machine by message", reports.map { Self.micro($0.machineTime, by: $0.messages) }))
        lines.append(row("machine by token", reports.map { Self.micro($0.machineTime, by: $0.world.tokens) }))
        lines.append(row("machine by turn, mean", reports.map { Self.micro($0.machineTime, by: $0.turns) }))
        lines.append(row("longest turn", reports.map { "\(Self.rounded($0.longestTurn.milliseconds)) ms" }))
        lines.append(row("memory of a stream", memories.map { "\($0.stream.grouped) B" }))
        lines.append(row("memory of a worker", memories.map { "\($0.worker.grouped) B" }))
        lines.append(row("storm until all is leased again", reports.map { Self.seconds($0.releasedAfter) }))
        lines.append(row("storm until all lost streams ended", reports.map { Self.seconds($0.endedAfter) }))
        for violation in violations { lines.append("\(violation.checker): \(violation.message)") }
        return lines.joined(separator: "\n")
    }

    /// One JSON object.
    var json: String {
        let content = ScaleContent(
            seed: seed,
            sizes: zip(reports, memories).map { report, memory in
                ScaleContent.Size(report: report, memory: memory)
            }
        )
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
        guard let data = try? encoder.encode(content) else { preconditionFailure("plain values can be encoded") }
        return String(decoding: data, as: UTF8.self)
    }

    private func row(_ name: String, _ values: [String]) -> String {
        "| \(name) | " + values.joined(separator: " | ") + " |"
    }

    private static func seconds(_ time: Duration?) -> String { time.map { "\(rounded($0.inSeconds)) s" } ?? "never" }

    private static func micro(_ cost: ScaleReport.Cost) -> String {
        "\(rounded(cost.mean / 1_000)) / \(rounded(cost.p99 / 1_000)) µs"
    }

    private static func micro(_ time: Duration, by count: Int) -> String {
        "\(rounded(time.inSeconds * 1e6 / Double(max(1, count)))) µs"
    }

    private static func rounded(_ value: Double) -> String {
        let hundredths = Int((value * 100).rounded())
        let fraction = hundredths % 100
        return "\((hundredths / 100).grouped).\(fraction < 10 ? "0" : "")\(fraction)"
    }
}
