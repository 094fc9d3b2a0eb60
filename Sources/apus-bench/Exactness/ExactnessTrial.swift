import ApusClient
import ApusModel
import ApusTestKit

/// Fills the table of one kind of weights, with real workers, a coordinator and a client.
struct ExactnessTrial {
    /// The weights' name.
    var weights: String

    /// Runs the weights; its number of threads is that of the references.
    var worker: RealWorker

    /// What is measured.
    var plan: ExactnessPlan

    /// Runs everything.
    ///
    /// - Parameter program: The `apus` command.
    /// - Returns: The table.
    /// - Throws: `ServerProcess.Failure`, `ApusError` or `BenchFailure` where something could not be run at all.
    func run(program: String) async throws -> ExactnessTable {
        var table = ExactnessTable(weights: weights, modes: plan.modes)
        let references = try await runUndisturbed(program: program, into: &table)
        try await runOnOneThread(program: program, references: references, into: &table)
        let losses = ExactnessLosses(worker: worker, plan: plan, references: references)
        try await losses.run(program: program, into: &table)
        return table
    }

    /// Runs what needs one worker that lives: the references first, on a worker that has computed nothing before.
    ///
    /// - Returns: The references.
    private func runUndisturbed(
        program: String,
        into table: inout ExactnessTable
    ) async throws -> [ExactnessMode: ExactnessOutput] {
        let cluster = try TestCluster(executable: program)
        let process = try worker.start(
            on: cluster,
            slots: plan.slots,
            context: 1_024,
            further: ["--min-batch", "\(plan.slots)"]
        )
        defer { withExtendedLifetime(process) {} }
        let configuration = ClientConfiguration(endpoint: cluster.clients, name: "bench")
        let start = table
        let (result, references) = try await ApusClient.withClient(configuration) { client in
            var table = start
            table.claimed = try await client.status().workers.first?.exactness ?? ""
            var references: [ExactnessMode: ExactnessOutput] = [:]
            for mode in plan.modes {
                references[mode] = try await Self.run(mode.request(tokens: plan.tokens), on: client)
            }
            for mode in plan.modes {
                guard let reference = references[mode] else { continue }
                var fault = mode.fault(in: reference)
                if fault == nil, let control = mode.control(tokens: plan.tokens) {
                    let other = try await Self.run(control, on: client)
                    if reference.difference(to: other) == nil { fault = "the parameters change nothing" }
                }
                table.note(mode, reference: reference, fault: fault)
            }
            Progress.say("\(weights): references")
            for mode in plan.modes {
                guard let reference = references[mode] else { continue }
                let again = try await Self.run(mode.request(tokens: plan.tokens), on: client)
                table.note(
                    mode,
                    "prefix hit",
                    reference.cell(of: again, unless: again.sum(\.cachedTokens) == 0, "no hit")
                )
            }
            for mode in plan.modes {
                guard let reference = references[mode] else { continue }
                let guessed = try await Self.run(mode.request(tokens: plan.tokens).speculating(true), on: client)
                let cell = reference.cell(of: guessed, unless: guessed.sum(\.draftedTokens) == 0, "no guess")
                table.note(mode, "speculation", cell)
            }
            Progress.say("\(weights): prefix, speculation")
            for count in plan.companions {
                try await runBeside(count, references: references, on: client, into: &table)
                Progress.say("\(weights): \(count) companions")
            }
            return (table, references)
        }
        table = result
        return references
    }

    /// Runs each mode while some other streams of all lengths run.
    private func runBeside(
        _ count: Int,
        references: [ExactnessMode: ExactnessOutput],
        on client: ApusClient,
        into table: inout ExactnessTable
    ) async throws {
        let companions = StreamRecorder(client)
        var jobs: [JobID] = []
        for number in 0..<count {
            let seed = UInt64(1_000 * count + number)
            let request = GenerationRequest(
                prompt: Lexicon.text(words: 4 + number * 13 % 90, seed: seed),
                isRaw: true,
                maximumTokens: 900,
                sampling: SamplingParameters(temperature: number.isMultiple(of: 2) ? 0.8 : 0, seed: seed),
                ignoresEndOfGeneration: true,
                speculates: false
            )
            jobs.append(try await companions.submit(request).job)
        }
        await companions.waitForTokens(1, of: 0..<count)
        for mode in plan.modes {
            guard let reference = references[mode] else { continue }
            let output = try await Self.run(mode.request(tokens: plan.tokens), on: client)
            let left = companions.records.count { !$0.isOver }
            table.note(mode, "+\(count)", reference.cell(of: output, unless: left < count, "beside \(left)"))
        }
        // One may have come to its end meanwhile, which is no failure.
        for job in jobs { try? await client.cancel(job) }
        await companions.waitForEnds()
        _ = try companions.checked()
    }

    /// Runs each mode on a worker with another number of threads than the references' had.
    private func runOnOneThread(
        program: String,
        references: [ExactnessMode: ExactnessOutput],
        into table: inout ExactnessTable
    ) async throws {
        let threads = worker.threads == 1 ? 2 : 1
        let cluster = try TestCluster(executable: program)
        let process = try worker.start(on: cluster, slots: 4, context: 512, further: ["--threads", "\(threads)"])
        defer { withExtendedLifetime(process) {} }
        let configuration = ClientConfiguration(endpoint: cluster.clients, name: "bench")
        let outputs = try await ApusClient.withClient(configuration) { client in
            var outputs: [ExactnessMode: ExactnessOutput] = [:]
            for mode in plan.modes { outputs[mode] = try await Self.run(mode.request(tokens: plan.tokens), on: client) }
            return outputs
        }
        for mode in plan.modes {
            guard let reference = references[mode], let output = outputs[mode] else { continue }
            table.note(mode, "\(threads) thread\(threads == 1 ? "" : "s")", reference.cell(of: output))
        }
        Progress.say("\(weights): \(threads) thread\(threads == 1 ? "" : "s")")
    }

    private static func run(_ request: GenerationRequest, on client: ApusClient) async throws -> ExactnessOutput {
        ExactnessOutput(try await StreamRecorder.run([request], on: client))
    }
}

extension ExactnessOutput {
    /// Compares another run's output with this reference.
    ///
    /// - Parameters:
    ///   - other: The other run's.
    ///   - missed: Whether what the comparison is about did not happen.
    ///   - why: What to say then.
    /// - Returns: The comparison.
    func cell(of other: ExactnessOutput, unless missed: Bool = false, _ why: String = "") -> ExactnessTable.Cell {
        if let place = difference(to: other) { return .different(place) }
        return missed ? .untested(why) : .equal
    }
}
