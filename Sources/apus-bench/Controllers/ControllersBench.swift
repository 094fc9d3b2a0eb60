import ApusClient
import ApusModel
import ApusTestKit
import ArgumentParser
import Foundation

/// The two batch policies side by side, on a simulated worker that costs what the real one does, under a load that changes.
struct ControllersBench: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "controllers",
        abstract:
            "The batch policies aimd and cost under a changing load, on a simulated worker fitted to the real one."
    )

    @OptionGroup var options: BenchOptions
    @OptionGroup var worker: RealWorker

    @Flag(help: "Measure and print the real worker's costs only.")
    var fit = false

    @Option(help: "Take these costs instead of measuring: step,row,context token,prompt token in microseconds.")
    var costs: String?

    @Option(help: "Seconds of each of the four phases of the load.")
    var phaseSeconds = 10

    @Option(help: "Rounds; each runs both policies.")
    var rounds = 2

    /// Streams in a step that just keeps the target, so that batches have a limit that is neither 1 nor the slots.
    private static let targetRows = 16

    /// Tokens before a row in such a step.
    private static let targetContext = 120.0

    func validate() throws {
        guard phaseSeconds >= 1, rounds >= 1 else {
            throw ValidationError("A phase takes a second or more, and once or more.")
        }
        if let costs, Self.model(costs) == nil {
            throw ValidationError("--costs is \(costs); it must be four numbers with commas between, 0 or more.")
        }
    }

    func measure(program: String, into figures: inout Figures) async throws {
        let model = try await model(program: program, into: &figures)
        figures.add("step", model.step, "us")
        figures.add("row of a step", model.row, "us")
        figures.add("token before a row", model.contextToken, "us")
        figures.add("token of a prompt", model.promptToken, "us")
        guard !fit else { return }
        let full = model.microseconds(
            rows: Self.targetRows,
            contextTokens: Self.targetContext * Double(Self.targetRows)
        )
        let target = Int((full / 1_000).rounded(.up))
        // Of a stream's time the prompt takes a part.
        let perToken = full / Double(Self.targetRows) + model.promptToken
        let load = ChangingLoad(tokensPerSecond: 1e6 / perToken, phase: .seconds(phaseSeconds))
        figures.add("inter-token target", Double(target), "ms")
        figures.add("streams of the load", Double(load.streams), "streams")
        var results = ["aimd": PolicyResult(), "cost": PolicyResult()]
        for round in 0..<rounds {
            for policy in round.isMultiple(of: 2) ? ["aimd", "cost"] : ["cost", "aimd"] {
                results[policy]?.note(
                    try await run(load, policy: policy, target: target, model: model, program: program)
                )
                Progress.say("\(policy), round \(round + 1) of \(rounds)")
            }
        }
        guard let aimd = results["aimd"], let cost = results["cost"] else { return }
        aimd.report("aimd", target: Double(target), into: &figures)
        cost.report("cost", target: Double(target), into: &figures)
        let share = (aimd.share(within: Double(target)) * 1_000).rounded() / 10
        figures.add("within the target, cost", cost.share(within: Double(target)) * 100, "%", goal: .atLeast(share))
        figures.add("tokens a second, cost / aimd", cost.speed / aimd.speed, "x", goal: .atLeast(1))
    }

    private func model(program: String, into figures: inout Figures) async throws -> CostModel {
        if let costs, let model = Self.model(costs) { return model }
        let (model, samples) = try await CostMeasurement(worker: worker).run(program: program)
        var table = TextTable(["rows", "tokens before them", "measured ms", "fitted ms"])
        for sample in samples {
            let fitted = model.microseconds(rows: sample.rows, contextTokens: sample.contextTokens)
            table.add([
                "\(sample.rows)", "\(Int(sample.contextTokens))", String(format: "%.2f", sample.microseconds / 1_000),
                String(format: "%.2f", fitted / 1_000),
            ])
        }
        print(table.plain + "\n")
        figures.add("largest error of the fit", model.largestError(over: samples) * 100, "%")
        return model
    }

    private func run(
        _ load: ChangingLoad,
        policy: String,
        target: Int,
        model: CostModel,
        program: String
    ) async throws -> [StreamRecord] {
        let cluster = try TestCluster(executable: program)
        let process = try cluster.startWorker(
            ["--engine", "simulated", "--slots", "64", "--batch-policy", policy, "--inter-token-ms", "\(target)"]
                + model.arguments
        )
        defer { withExtendedLifetime(process) {} }
        let configuration = ClientConfiguration(endpoint: cluster.clients, name: "bench")
        return try await ApusClient.withClient(configuration) { client in try await load.run(on: client) }
    }

    private static func model(_ costs: String) -> CostModel? {
        let numbers = costs.split(separator: ",").compactMap { Double($0) }.filter { $0 >= 0 && $0.isFinite }
        guard numbers.count == 4 else { return nil }
        return CostModel(step: numbers[0], row: numbers[1], contextToken: numbers[2], promptToken: numbers[3])
    }
}
