import ApusClient
import ApusModel
import ApusTestKit
import Foundation

/// The part of the table in which workers die or freeze while they run the streams of all modes.
///
/// There are two workers. One is stopped while the streams are submitted, so that the other gets all of them, and goes on once
/// they run; then the other is killed or stopped.
struct ExactnessLosses {
    /// Runs the weights.
    var worker: RealWorker

    /// What is measured.
    var plan: ExactnessPlan

    /// What undisturbed runs brought.
    var references: [ExactnessMode: ExactnessOutput]

    /// Runs every loss.
    ///
    /// - Throws: As `ExactnessTrial.run(program:)`.
    func run(program: String, into table: inout ExactnessTable) async throws {
        let cluster = try TestCluster(executable: program)
        let survivor = try start(on: cluster)
        let configuration = ClientConfiguration(endpoint: cluster.clients, name: "bench")
        let start = table
        table = try await ApusClient.withClient(configuration) { client in
            var table = start
            for loss in losses {
                // A stream whose prompt was read first may be over when the last one has come so far: those go again.
                var modes = plan.modes
                for _ in 0..<Self.tries where !modes.isEmpty {
                    modes = try await lose(modes, loss, survivor: survivor, cluster, client, into: &table)
                }
                Progress.say("\(table.weights): \(loss.column)")
            }
            return table
        }
    }

    /// How a worker is lost.
    private struct Loss {
        var column: String
        var tokens: Int
        var signal: Int32
    }

    /// How often streams go that were over before their worker was lost.
    private static let tries = 3

    private var losses: [Loss] {
        plan.kills.map { Loss(column: "killed at \($0)", tokens: $0, signal: SIGKILL) }
            + [Loss(column: "SIGSTOP at \(plan.tokens / 2)", tokens: plan.tokens / 2, signal: SIGSTOP)]
    }

    /// Runs modes beside each other, and loses their worker once the slowest stream has come far enough.
    ///
    /// - Returns: The modes with a stream that was over before.
    private func lose(
        _ modes: [ExactnessMode],
        _ loss: Loss,
        survivor: ServerProcess,
        _ cluster: TestCluster,
        _ client: ApusClient,
        into table: inout ExactnessTable
    ) async throws -> [ExactnessMode] {
        survivor.kill(SIGSTOP)
        try await waitUntilNobodyServes(client)
        let victim = try self.start(on: cluster)
        let recorder = StreamRecorder(client)
        var places: [(mode: ExactnessMode, streams: Range<Int>)] = []
        for mode in modes {
            let request = mode.request(tokens: plan.tokens)
            let number = try await recorder.submit(request).number
            places.append((mode, number..<number + request.choices))
        }
        let all = 0..<recorder.records.count
        await recorder.waitForTokens(1, of: all)
        survivor.kill(SIGCONT)
        await recorder.waitForTokens(loss.tokens, of: all)
        victim.kill(loss.signal)
        await recorder.waitForEnds()
        let records = try recorder.checked()
        victim.kill(SIGKILL)
        victim.waitForExit()
        var early: [ExactnessMode] = []
        for (mode, streams) in places {
            guard let reference = references[mode] else { continue }
            let output = ExactnessOutput(records[streams])
            let isEarly = output.ends.contains { $0.attempts < 2 }
            if isEarly { early.append(mode) }
            table.note(mode, loss.column, reference.cell(of: output, unless: isEarly, "ended before"))
        }
        return early
    }

    private func start(on cluster: TestCluster) throws -> ServerProcess {
        try worker.start(on: cluster, slots: 12, context: 512, further: ["--min-batch", "12"])
    }

    private func waitUntilNobodyServes(_ client: ApusClient) async throws {
        let deadline = ContinuousClock.now + .seconds(30)
        while try await client.status().workers.contains(where: { $0.state == "ready" }) {
            guard ContinuousClock.now < deadline else { throw BenchFailure("a stopped worker still counts as ready") }
            // The coordinator tells nobody when it gives a worker up; only its status shows it.
            try await Task.sleep(for: .milliseconds(20))
        }
    }
}
