import ApusModel

/// What `apus up` does with its processes, as a value: facts with a timestamp in, effects out.
///
/// The coordinator starts first, then the workers; one that dies unexpectedly starts again after a growing pause. All stop
/// together, workers before the coordinator that they say goodbye to.
struct SupervisorMachine: Sendable {
    /// One of the processes: the coordinator is 0, workers count from 1.
    typealias Child = Int

    /// What is to be done.
    enum Effect: Hashable, Sendable {
        /// Start a process.
        case start(Child)
        /// Ask a process to stop (SIGTERM).
        case stop(Child)
        /// End a process at once (SIGKILL).
        case kill(Child)
        /// Call `timePassed` at this moment.
        case wake(Timestamp)
        /// All processes are ready for the first time.
        case announce
        /// Say something to the operator.
        case report(String)
        /// All is over.
        case finish(Verdict)
    }

    /// How it ended.
    struct Verdict: Hashable, Sendable {
        /// The exit status.
        var status: Int32
        /// Why it had to stop; `nil` where it was asked to.
        var message: String?
    }

    /// How a process ended.
    enum Exit: Hashable, Sendable {
        /// It exited with a status.
        case status(Int32)
        /// A signal ended it.
        case signal(Int32)

        /// For messages.
        var text: String {
            switch self {
            case .status(let status): "exited with status \(status)"
            case .signal(let number): "was killed by signal \(number)"
            }
        }
    }

    private enum State: Hashable, Sendable {
        case waiting
        case starting
        case ready
        case resting(until: Timestamp)
        case gone
    }

    private struct Process: Sendable {
        var name: String
        var state = State.waiting
        var failures = 0
        var readySince = Timestamp.zero
    }

    private enum Phase: Hashable, Sendable {
        case running
        case stoppingWorkers(until: Timestamp)
        case stoppingCoordinator(until: Timestamp)
        case finished
    }

    /// Deaths in a row before it was ready after which a process is given up.
    static let failureLimit = 5
    /// How long a process may take to stop: somewhat longer than it lets running streams finish.
    static let stopGrace = Duration.seconds(12)
    /// A process that served for so long starts again at once: streams wait for it.
    static let steadyTime = Duration.seconds(5)
    /// The first pause before another process starts again; it doubles each time that it dies before it is ready.
    static let firstPause = Duration.milliseconds(500)
    /// The longest pause.
    static let longestPause = Duration.seconds(10)

    private var processes: [Process]
    private var phase = Phase.running
    private var isAnnounced = false
    private var verdict = Verdict(status: 0, message: nil)

    /// Processes that are not started yet.
    ///
    /// - Parameter names: Their names, the coordinator's first.
    init(names: [String]) {
        processes = names.map { Process(name: $0) }
    }

    /// Supervision began.
    mutating func began() -> [Effect] {
        processes[0].state = .starting
        return [.start(0)]
    }

    /// A process serves.
    mutating func becameReady(_ child: Child, now: Timestamp) -> [Effect] {
        guard phase == .running, processes[child].state == .starting else { return [] }
        processes[child].state = .ready
        processes[child].readySince = now
        processes[child].failures = 0
        var effects: [Effect] = []
        if child == 0 {
            for worker in processes.indices.dropFirst() where processes[worker].state == .waiting {
                processes[worker].state = .starting
                effects.append(.start(worker))
            }
        }
        if !isAnnounced, processes.allSatisfy({ $0.state == .ready }) {
            isAnnounced = true
            effects.append(.announce)
        }
        return effects
    }

    /// A process ended.
    ///
    /// - Parameters:
    ///   - child: The process.
    ///   - exit: How it ended.
    ///   - lastWords: Its last line on the error output.
    ///   - now: The present.
    /// - Returns: What to do.
    mutating func exited(_ child: Child, _ exit: Exit, lastWords: String?, now: Timestamp) -> [Effect] {
        let wasReady = processes[child].state == .ready
        processes[child].state = .gone
        guard phase == .running else { return advance(now: now) }
        let name = processes[child].name
        let words = lastWords.map { ": \($0)" } ?? ""
        if case .status(let status) = exit, status == ExitStatus.usage.rawValue {
            return beginStop(Verdict(status: status, message: "\(name) could not start\(words)"), now: now)
        }
        if child > 0, wasReady, exit == .status(0) {
            return [.report("\(name) has left, as after `apus drain`; it is not started again")]
        }
        processes[child].failures = wasReady ? 0 : processes[child].failures + 1
        if processes[child].failures >= Self.failureLimit {
            let status = if case .status(let status) = exit, status != 0 { status } else { ExitStatus.failed.rawValue }
            let message = "\(name) \(exit.text) \(Self.failureLimit) times in a row before it was ready\(words)"
            return beginStop(Verdict(status: status, message: message), now: now)
        }
        let doublings = min(max(0, processes[child].failures - 1), 10)
        let isSteady = wasReady && now - processes[child].readySince >= Self.steadyTime
        let pause = isSteady ? .zero : min(Self.firstPause * (1 << doublings), Self.longestPause)
        processes[child].state = .resting(until: now + pause)
        let start = isSteady ? "at once" : "in \(pause.inSeconds) s"
        return [.report("\(name) \(exit.text); it starts again \(start)"), .wake(now + pause)]
    }

    /// A moment that was asked for has come.
    mutating func timePassed(now: Timestamp) -> [Effect] {
        switch phase {
        case .running:
            var effects: [Effect] = []
            for child in processes.indices {
                guard case .resting(let moment) = processes[child].state, moment <= now else { continue }
                processes[child].state = .starting
                effects.append(.start(child))
            }
            return effects
        case .stoppingWorkers(let moment) where moment <= now:
            return processes.indices.dropFirst().filter { isAlive($0) }.map { .kill($0) }
        case .stoppingCoordinator(let moment) where moment <= now:
            return isAlive(0) ? [.kill(0)] : []
        case .stoppingWorkers, .stoppingCoordinator, .finished:
            return []
        }
    }

    /// The operator wants all to stop; the second time at once.
    mutating func stopRequested(now: Timestamp) -> [Effect] {
        guard phase == .running else {
            return processes.indices.filter { isAlive($0) }.map { .kill($0) }
        }
        return beginStop(Verdict(status: 0, message: nil), now: now)
    }

    private func isAlive(_ child: Child) -> Bool {
        switch processes[child].state {
        case .starting, .ready: true
        case .waiting, .resting, .gone: false
        }
    }

    private mutating func beginStop(_ verdict: Verdict, now: Timestamp) -> [Effect] {
        self.verdict = verdict
        let moment = now + Self.stopGrace
        phase = .stoppingWorkers(until: moment)
        let effects: [Effect] = processes.indices.dropFirst().filter { isAlive($0) }.map { .stop($0) }
        return effects + [.wake(moment)] + advance(now: now)
    }

    private mutating func advance(now: Timestamp) -> [Effect] {
        var effects: [Effect] = []
        if case .stoppingWorkers = phase, !processes.indices.dropFirst().contains(where: { isAlive($0) }) {
            let moment = now + Self.stopGrace
            phase = .stoppingCoordinator(until: moment)
            if isAlive(0) { effects += [.stop(0), .wake(moment)] }
        }
        if case .stoppingCoordinator = phase, !isAlive(0) {
            phase = .finished
            effects.append(.finish(verdict))
        }
        return effects
    }
}
