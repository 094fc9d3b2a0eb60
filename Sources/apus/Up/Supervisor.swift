import ApusModel
import Foundation
import UnixSignals
import ZeroMQ

/// Starts and stops the processes of a local cluster as `SupervisorMachine` decides.
actor Supervisor {
    private enum Event: Sendable {
        case child(SupervisorMachine.Child, ChildProcess.Event)
        case time
        case stop
    }

    private let plan: LocalCluster
    private let executable: URL
    private let events: AsyncStream<Event>
    private let inlet: AsyncStream<Event>.Continuation
    private var machine: SupervisorMachine
    private var children: [SupervisorMachine.Child: ChildProcess] = [:]
    private var lastWords: [SupervisorMachine.Child: String] = [:]
    private var endpoints: (clients: String, workers: String)?
    private var verdict: SupervisorMachine.Verdict?

    /// A cluster that is not started yet.
    ///
    /// - Parameters:
    ///   - plan: What to run.
    ///   - executable: This program.
    init(plan: LocalCluster, executable: URL) {
        self.plan = plan
        self.executable = executable
        machine = SupervisorMachine(names: plan.names)
        // The children's lines fill it no faster than their pipes are read, and the loop below does nothing slow.
        (events, inlet) = AsyncStream.makeStream(of: Event.self)
    }

    /// Runs the cluster until it is stopped by a signal or can't go on.
    ///
    /// - Returns: How it ended; all children are gone.
    func run() async -> SupervisorMachine.Verdict {
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        let inlet = inlet
        return await withDiscardingTaskGroup { group in
            group.addTask {
                for await _ in signals { inlet.yield(.stop) }
            }
            await perform(machine.began(), timers: &group)
            for await event in events {
                await perform(handle(event), timers: &group)
                if let verdict {
                    group.cancelAll()
                    return verdict
                }
            }
            group.cancelAll()
            return SupervisorMachine.Verdict(status: ExitStatus.interrupted.rawValue, message: nil)
        }
    }

    private func handle(_ event: Event) -> [SupervisorMachine.Effect] {
        switch event {
        case .time: return machine.timePassed(now: PollExecutor.monotonicNow())
        case .stop: return machine.stopRequested(now: PollExecutor.monotonicNow())
        case .child(let child, .output(let line)): return heard(line, from: child)
        case .child(let child, .complaint(let line)):
            // Said again behind the child's name, where a second "error:" would only be in the way.
            lastWords[child] = line.hasPrefix("error: ") ? String(line.dropFirst("error: ".count)) : line
            Terminal.printError(Terminal.dim(plan.names[child] + "|") + " " + line)
            return []
        case .child(let child, .exited(let exit)):
            children[child] = nil
            return machine.exited(
                child,
                exit,
                lastWords: lastWords.removeValue(forKey: child),
                now: PollExecutor.monotonicNow()
            )
        }
    }

    private func heard(_ line: String, from child: SupervisorMachine.Child) -> [SupervisorMachine.Effect] {
        guard line.hasPrefix("READY ") else {
            Terminal.printError(Terminal.dim(plan.names[child] + "|") + " " + line)
            return []
        }
        if child == 0 {
            let fields = LocalCluster.fields(ofReady: line)
            if let clients = fields["clients"], let workers = fields["workers"] { endpoints = (clients, workers) }
        }
        return machine.becameReady(child, now: PollExecutor.monotonicNow())
    }

    private func perform(
        _ effects: [SupervisorMachine.Effect],
        timers: inout DiscardingTaskGroup
    ) async {
        for effect in effects {
            switch effect {
            case .start(let child): start(child)
            case .stop(let child): children[child]?.stop()
            case .kill(let child): children[child]?.kill()
            case .wake(let moment):
                let inlet = inlet
                timers.addTask {
                    // Cancelled only when nobody listens any more.
                    try? await Task.sleep(for: moment - PollExecutor.monotonicNow())
                    inlet.yield(.time)
                }
            case .announce:
                if let endpoints {
                    // A reader that is gone does not need to know.
                    try? Terminal.write("READY clients=\(endpoints.clients) workers=\(endpoints.workers)\n")
                }
            case .report(let text): Terminal.warn(text)
            case .finish(let verdict): self.verdict = verdict
            }
        }
    }

    private func start(_ child: SupervisorMachine.Child) {
        let inlet = inlet
        do {
            children[child] = try ChildProcess(
                executable: executable,
                arguments: plan.arguments(of: child, endpoints: endpoints)
            ) { inlet.yield(.child(child, $0)) }
        } catch {
            lastWords[child] = error.localizedDescription
            inlet.yield(.child(child, .exited(.status(ExitStatus.failed.rawValue))))
        }
    }
}
