import ApusTestKit
import Foundation

/// The servers of a chaos run: killed, stopped and started again at their places.
final class ChaosCluster {
    /// The coordinator, and its endpoints.
    let cluster: TestCluster

    private let engine: ChaosSettings.Engine
    private let slots: Int
    private var workers: [ServerProcess] = []
    private var logs: [String] = []

    /// How long a server may take to be ready.
    private static let patience = Duration.seconds(60)

    /// Starts a coordinator and its workers.
    ///
    /// - Throws: `ServerProcess.Failure` where one doesn't become ready.
    init(program: String, settings: ChaosSettings) throws {
        let endpoints = try TestCluster.fixedEndpoints()
        cluster = try TestCluster(
            executable: program,
            clients: endpoints.clients,
            workers: endpoints.workers,
            data: settings.data
        )
        engine = settings.engine
        // Room for every stream on one worker: a stream that stands still is never one that only waits for its turn.
        slots = (settings.lanes + settings.commands) * 4
        for number in 0..<settings.workers { workers.append(try startWorker(number)) }
        for worker in workers { _ = try worker.waitUntilReady(within: Self.patience) }
    }

    /// The name of a worker, by its number.
    static func name(of worker: Int) -> String { "w\(worker)" }

    private func startWorker(_ number: Int) throws -> ServerProcess {
        let name = Self.name(of: number)
        switch engine {
        case .simulated(let step):
            return try cluster.startSimulatedWorker(name: name, slots: slots, stepMicroseconds: step, waits: false)
        case .llama(let model):
            let arguments = ["--model", model, "--threads", "1", "--slots", "8", "--context", "1024"]
            return try cluster.startWorker(arguments, name: name, waits: false)
        }
    }

    /// Kills the coordinator or some workers, or both, and starts them again at once.
    ///
    /// - Parameters:
    ///   - coordinator: Whether the coordinator dies.
    ///   - victims: The workers that die, by number.
    ///   - again: Where the coordinator is to be killed a second time: how long after it was started again.
    /// - Returns: How long the coordinator took from its last start to its `READY` line, where it died.
    /// - Throws: `ServerProcess.Failure` where one doesn't become ready again.
    @discardableResult
    func restart(coordinator: Bool, workers victims: [Int], again: Duration? = nil) throws -> Duration? {
        // All are dead before the first one is back.
        if coordinator { cluster.coordinator.kill(SIGKILL) }
        for victim in victims { workers[victim].kill(SIGKILL) }
        var start: Duration?
        if coordinator {
            note("coordinator", cluster.coordinator)
            if let again {
                try cluster.restartCoordinator(readyWithin: nil)
                usleep(UInt32(again / .microseconds(1)))
            }
            let began = ContinuousClock.now
            try cluster.restartCoordinator(readyWithin: nil)
            for victim in victims { try replace(victim) }
            _ = try cluster.coordinator.waitUntilReady(within: Self.patience)
            start = began.duration(to: .now)
        } else {
            for victim in victims { try replace(victim) }
        }
        for victim in victims { _ = try workers[victim].waitUntilReady(within: Self.patience) }
        return start
    }

    private func replace(_ number: Int) throws {
        workers[number].waitForExit()
        note(Self.name(of: number), workers[number])
        workers[number] = try startWorker(number)
    }

    /// Stops the coordinator and lets it go on after a while.
    func pause(for time: Duration) async {
        cluster.coordinator.kill(SIGSTOP)
        // A run that is given up ends the wait early; the coordinator goes on all the same.
        try? await Task.sleep(for: time)
        cluster.coordinator.kill(SIGCONT)
    }

    /// Servers that ended although nobody killed them.
    var missing: [String] {
        var names = cluster.coordinator.isRunning ? [] : ["the coordinator"]
        for (number, worker) in workers.enumerated() where !worker.isRunning { names.append(Self.name(of: number)) }
        return names
    }

    /// What the servers wrote to their standard errors, and what the cluster says about itself.
    var dump: String {
        var texts = logs.suffix(10)
        texts.append("coordinator: \(cluster.coordinator.errors.suffix(4_000))")
        for (number, worker) in workers.enumerated() {
            texts.append("\(Self.name(of: number)): \(worker.errors.suffix(2_000))")
        }
        for command in ["status", "jobs"] {
            let result = try? cluster.run([command, "--read-timeout", "5"])
            texts.append("apus \(command):\n\(result?.output ?? "")\(result?.errors ?? "")")
        }
        return texts.joined(separator: "\n")
    }

    /// Kills all servers and waits for them.
    func end() {
        for process in workers + [cluster.coordinator] { process.kill(SIGKILL) }
        for process in workers + [cluster.coordinator] { process.waitForExit() }
    }

    private func note(_ name: String, _ process: ServerProcess) {
        let errors = process.errors
        if !errors.isEmpty { logs.append("\(name), killed: \(errors.suffix(2_000))") }
        if logs.count > 20 { logs.removeFirst(10) }
    }
}
