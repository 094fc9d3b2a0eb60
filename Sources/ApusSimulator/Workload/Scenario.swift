import ApusCore
import ApusModel

/// A small world in which only what its script says goes wrong.
///
/// A scenario is told in the order of its points; then `run` gives the world at its end, for a test to look at.
struct Scenario {
    /// The world before it begins; a test may change whatever it needs.
    var configuration: WorldConfiguration

    /// Describes a world of equal workers and one client.
    ///
    /// - Parameters:
    ///   - workers: The number of workers, `w0`, `w1`, …
    ///   - slots: The slots of each.
    ///   - lengths: The tokens of each job; all are submitted in the first 20 ms, in order.
    ///   - window: The client's window.
    init(workers: Int, slots: Int = 4, lengths: [Int], window: Int = 64) {
        configuration = WorldConfiguration(seed: 1)
        configuration.faultTime = 10_000_000_000
        configuration.clients = [ClientSpec(name: "client", window: window)]
        configuration.workers = (0..<workers).map { place in
            WorkerSpec(
                name: WorkerName(unchecked: "w\(place)"),
                model: ModelName(unchecked: "swift"),
                slots: slots,
                fingerprint: Fingerprint(high: 1, low: 1),
                stepTime: 5_000_000,
                streamTime: 500_000,
                prefillTime: 10_000,
                burst: 2
            )
        }
        configuration.jobs = lengths.enumerated().map { place, length in
            var request = GenerationRequest(prompt: "job \(place)")
            request.maximumTokens = length
            request.sampling.topK = place + 1
            request.sampling.seed = UInt64(place)
            return JobSpec(
                client: 0,
                key: "k\(place)",
                request: request,
                submittedAt: 10_000_000 + Int64(place) * 100_000,
                naturalLength: length,
                promptTokens: 10,
                poisonedIndex: nil
            )
        }
    }

    /// Adds a directed action.
    ///
    /// - Returns: The scenario with it.
    func when(_ trigger: ScriptedAction.Trigger, _ action: ScriptedAction.Action) -> Scenario {
        var scenario = self
        scenario.configuration.script.append(ScriptedAction(trigger: trigger, action: action))
        return scenario
    }

    /// Runs the world to its end.
    ///
    /// - Returns: What became of it, the world itself, and its story.
    func run() -> (report: WorldReport, world: World, story: [String]) {
        let trace = Trace()
        var world = World(configuration, trace: trace)
        let report = world.run()
        return (report, world, trace.lines)
    }
}

extension World {
    /// How each stream ended, by the journal and in the order of the ends.
    var ends: [StreamEnd] {
        disk.batches.flatMap(\.records).compactMap { record in
            if case .ended(_, let end, _) = record { end } else { nil }
        }
    }

    /// The acceptances in the journal.
    var acceptances: Int {
        disk.batches.flatMap(\.records).count { record in
            if case .accepted = record { true } else { false }
        }
    }
}
