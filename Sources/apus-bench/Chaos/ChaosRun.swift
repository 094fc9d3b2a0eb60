import ApusClient
import ApusTestKit
import Foundation

/// Keeps streams running on a cluster of real processes and does something to it each round, at a random moment.
///
/// Every choice is drawn from the seed; what the machine makes of it in time differs from run to run.
final class ChaosRun {
    private let settings: ChaosSettings
    private let ledger = ChaosLedger()
    private let servers: ChaosCluster
    private let commands: [ClientCommand]
    private var random: ChaosRandom
    private var report = ChaosReport()

    /// Starts the servers.
    ///
    /// - Parameters:
    ///   - program: The `apus` command.
    ///   - settings: What to do.
    /// - Throws: `ServerProcess.Failure` where one doesn't become ready.
    init(program: String, settings: ChaosSettings) throws {
        self.settings = settings
        servers = try ChaosCluster(program: program, settings: settings)
        commands = (0..<settings.commands).map { _ in ClientCommand(program: program) }
        random = ChaosRandom(seed: settings.seed, purpose: 0)
    }

    /// Runs all rounds, lets every stream come to its end and checks what is left.
    ///
    /// - Returns: What came of it; no process of the run is left.
    /// - Throws: What kept it from running at all.
    func run() async throws -> ChaosReport {
        defer { servers.end() }
        let clients = [try await client("a"), try await client("b")]
        let source = try await source(clients[0])
        var extra = lane(source, clients, number: 0)
        try await withThrowingDiscardingTaskGroup { group in
            for number in 1..<(settings.lanes + 1) {
                var lane = lane(source, clients, number: number)
                group.addTask { await lane.run() }
            }
            for (number, command) in commands.enumerated() {
                var lane = CommandLane(
                    command: command,
                    endpoint: servers.cluster.clients,
                    source: source,
                    ledger: ledger,
                    random: ChaosRandom(seed: settings.seed, purpose: 1_000 + number),
                    name: "c\(number)"
                )
                group.addTask { await lane.run() }
            }
            let end = ContinuousClock.now + settings.limit
            while report.rounds < settings.rounds, .now < end, !ledger.isAborted {
                do {
                    try await round(clients[0]) {
                        extra.skip()
                        let lane = extra
                        group.addTask {
                            var lane = lane
                            await lane.runOne()
                        }
                    }
                } catch {
                    giveUp("\(error)")
                }
                report.rounds += 1
                if report.rounds % 50 == 0 { Progress.say("\(report.rounds) of \(settings.rounds) rounds") }
            }
            ledger.beginClosing()
            await settle { ledger.open == 0 }
            if ledger.isAborted {
                for client in clients { await client.shutdown() }
                servers.end()
                for command in commands { command.kill() }
            }
        }
        await finish(clients[0])
        for client in clients { await client.shutdown() }
        report.totals = ledger.totals
        return report
    }

    private func client(_ name: String) async throws -> ApusClient {
        try await ApusClient(
            configuration: ClientConfiguration(
                endpoint: servers.cluster.clients,
                name: name,
                readTimeout: .seconds(60),
                reconnectWindow: .seconds(60)
            )
        )
    }

    private func source(_ client: ApusClient) async throws -> ChaosSource {
        switch settings.engine {
        case .simulated: return .simulated(settings.durabilities)
        case .llama:
            var random = ChaosRandom(seed: settings.seed, purpose: 2_000)
            return try await .record(8, durabilities: settings.durabilities, random: &random, on: client)
        }
    }

    private func lane(_ source: ChaosSource, _ clients: [ApusClient], number: Int) -> ClientLane {
        ClientLane(
            client: clients[number % 2],
            other: clients[(number + 1) % 2],
            source: source,
            ledger: ledger,
            random: ChaosRandom(seed: settings.seed, purpose: number + 1),
            name: "l\(number)"
        )
    }

    // MARK: A round

    private func round(_ client: ApusClient, submit: () -> Void) async throws {
        let upset = draw()
        let victims = workers(of: upset)
        await settle { ledger.fragile(against: upset) == 0 }
        let isSmall = upset.workerDeaths > 0 && !upset.killsCoordinator
        // Whose streams are on the workers that will die; those that move there afterwards are not measured.
        let concerned = isSmall ? try await streams(on: victims, client) : nil
        let command = upset == .client ? commands[random.draw(0...max(0, commands.count - 1))] : nil
        await moment(submit: submit)
        let reader = command?.follower
        ledger.begin(upset) { number, name in
            if command != nil { return number == reader }
            return concerned?.contains(name) ?? true
        }
        var excused = Duration.zero
        if upset == .pause {
            excused = random.duration(upTo: .milliseconds(800))
            await servers.pause(for: excused)
        } else if let command {
            command.kill()
        } else {
            if upset == .everything { for command in commands { command.kill() } }
            let start = try servers.restart(
                coordinator: upset.killsCoordinator,
                workers: victims,
                again: upset == .coordinatorTwice ? random.duration(upTo: .milliseconds(60)) : nil
            )
            if let start { report.starts.append(start.milliseconds) }
        }
        ledger.over(excusing: excused)
        report.upsets[upset, default: 0] += 1
        await settle { ledger.awaited == 0 }
        // Whatever was silent for long is waited for once, in peace.
        let moment = ContinuousClock.now - settings.patience
        if !ledger.silent(since: moment).isEmpty { await settle { ledger.silent(since: moment).isEmpty } }
        for name in servers.missing { giveUp("\(name) ended by itself") }
    }

    private func draw() -> Upset {
        var place = random.draw(0...settings.upsets.reduce(0) { $0 + $1.weight } - 1)
        for upset in settings.upsets {
            place -= upset.weight
            if place < 0 { return upset }
        }
        return settings.upsets[0]
    }

    private func workers(of upset: Upset) -> [Int] {
        switch upset {
        case .worker, .coordinatorAndWorker: [random.draw(0...settings.workers - 1)]
        case .workers, .everything: Array(0..<settings.workers)
        case .coordinator, .coordinatorTwice, .pause, .client: []
        }
    }

    private func streams(on victims: [Int], _ client: ApusClient) async throws -> Set<String> {
        let names = victims.map { ChaosCluster.name(of: $0) }
        let jobs = try await client.jobs(limit: 200).filter { names.contains($0.worker) }
        return Set(jobs.map { "\($0.key)/\($0.choice)" })
    }

    /// Waits for the moment of a round's disturbance: any, or some microseconds around a submit, an acceptance or a token.
    private func moment(submit: () -> Void) async {
        switch random.draw(0...3) {
        case 0: await pause(random.duration(upTo: .milliseconds(150)))
        case 1:
            submit()
            usleep(UInt32(random.draw(0...4_000)))
        case 2:
            submit()
            await ledger.waitForEvent(isForAcceptance: true, atMost: .milliseconds(200))
            usleep(UInt32(random.draw(0...1_500)))
        default:
            await pause(random.duration(upTo: .milliseconds(40)))
            await ledger.waitForEvent(isForAcceptance: false, atMost: .milliseconds(200))
            usleep(UInt32(random.draw(0...1_500)))
        }
    }

    private func pause(_ time: Duration) async {
        // Only a run that is given up ends the wait early.
        try? await Task.sleep(for: time)
    }

    /// Waits until something holds; with everything up, streams that bring nothing meanwhile are stuck.
    private func settle(_ holds: () -> Bool) async {
        let begin = ContinuousClock.now
        while !holds(), !ledger.isAborted {
            await pause(.milliseconds(2))
            let moment = ContinuousClock.now - settings.patience
            guard moment > begin else { continue }
            let silent = ledger.silent(since: moment)
            guard !silent.isEmpty else { continue }
            ledger.stuck(silent, for: settings.patience)
            giveUp(nil)
        }
    }

    /// Ends the run early, with all that helps to find out why.
    private func giveUp(_ reason: String?) {
        if ledger.isAborted { return }
        if let reason { ledger.violate(reason) }
        Progress.say(servers.dump)
        ledger.abort()
    }

    // MARK: The end

    /// Everything has drained: nothing is lost, and nothing is left.
    private func finish(_ client: ApusClient) async {
        guard !ledger.isAborted else { return }
        let lost = ledger.lostJobs()
        report.lost = lost.count
        if !lost.isEmpty { ledger.violate("accepted and never ended: \(lost.prefix(5).joined(separator: ", "))") }
        do {
            let status = try await client.status()
            report.status = status
            if status.streams.active + status.streams.queued > 0 {
                let left = "\(status.streams.active) active and \(status.streams.queued) queued streams"
                ledger.violate("after the end of all streams the coordinator has \(left)")
            }
        } catch {
            ledger.violate("no status after the last round: \(error)")
        }
    }
}
