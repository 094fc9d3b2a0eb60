import ApusCore
import ApusModel

/// A simulated cluster: a coordinator with its disk, workers and clients, a network between them, and a clock of its own.
///
/// One seed is one execution: every draw comes from it, and events happen in the order of their moments, then of their planning.
/// The methods stand by subject: `World+Coordinator`, `+Outbound`, `+Workers`, `+Steps`, `+Clients`, `+Network`, `+Faults`, `+Lies`.
struct World {
    let configuration: WorldConfiguration
    let truth: Truth
    var checkers: CheckerSet
    let trace: Trace?

    /// Measures what the coordinator costs; `nil` in worlds that are not measured.
    let probe: ScaleProbe?

    /// What the coordinator does wrong, to test the checkers; `nil` everywhere else.
    var planted: Sabotage?

    /// Nanoseconds of virtual time since the beginning.
    var now: Int64 = 0

    /// By how much the wall clock of the coordinator's host differs from `now`, in nanoseconds; nobody may decide by it.
    var wallOffset: Int64 = 0
    var events = EventQueue()
    var eventCount = 0
    var digest = Digest()

    var networkRandom: SeededRandom
    var workerRandom: SeededRandom
    var clientRandom: SeededRandom
    var coordinatorRandom: SeededRandom
    var faultRandom: SeededRandom

    var coordinator: SimulatedCoordinator
    var disk = SimulatedDisk()
    var workerConnections: [Connection<WorkerReport, WorkerMessage>] = []
    var clientConnections: [Connection<ClientRequest, ClientMessage>] = []
    var workers: [SimulatedWorker]
    var clients: [SimulatedClient]

    /// A stream of a job of the configuration each, in the order of the jobs and of their choices.
    var jobs: [SimulatedJob]

    /// Clients that follow other clients' jobs.
    var followers: [SimulatedFollower] = []

    /// Requests of followers so far, which numbers them.
    var followerRequests = 0

    /// Retries that wait for their answer, each with the client that asked and the stream's place in `jobs`.
    var retries: [(number: UInt64, client: Int, job: Int)] = []

    /// The place in `jobs` of each stream, by the stream's number; -1 for one that no client knows.
    var jobOfStream: [Int32] = []

    /// Streams whose client still waits for something.
    var unfinishedJobs: Int

    /// What the world itself found impossible.
    var ownViolations: [Violation] = []

    var isHealed = false
    var partitions = Partitions()
    var faultCounts = [Int](repeating: 0, count: Fault.allCases.count)

    /// Directed actions that are still to come.
    var script: [ScriptedAction]

    init(
        _ configuration: WorldConfiguration,
        trace: Trace? = nil,
        planted: PlantedBug? = nil,
        probe: ScaleProbe? = nil
    ) {
        self.configuration = configuration
        self.trace = trace
        self.probe = probe
        self.planted = planted.map(Sabotage.init)
        truth = Truth(jobs: configuration.jobs)
        checkers = CheckerSet(truth: truth, configuration: configuration)
        networkRandom = SeededRandom(seed: configuration.seed, for: .network)
        workerRandom = SeededRandom(seed: configuration.seed, for: .workers)
        clientRandom = SeededRandom(seed: configuration.seed, for: .clients)
        coordinatorRandom = SeededRandom(seed: configuration.seed, for: .coordinator)
        faultRandom = SeededRandom(seed: configuration.seed, for: .faults)
        coordinator = SimulatedCoordinator(settings: configuration.settings)
        workers = configuration.workers.map { SimulatedWorker(spec: $0) }
        clients = configuration.clients.map { SimulatedClient(spec: $0) }
        jobs = configuration.jobs.indices.flatMap { spec in
            (0..<configuration.jobs[spec].request.choices).map { SimulatedJob(spec: spec, choice: $0) }
        }
        unfinishedJobs = jobs.count
        script = configuration.script
    }

    /// The present moment.
    @inline(__always)
    var moment: Timestamp { Timestamp(nanoseconds: now) }

    /// Whether every job has ended and every client knows.
    private var isDone: Bool {
        guard coordinator.isRunning else { return false }
        let counters = coordinator.machine.counters
        return counters.queued == 0 && counters.active == 0 && counters.parked == 0
    }

    /// Lets everything happen, until all is done or the time is over.
    mutating func run() -> WorldReport {
        begin()
        var isLate = false
        while let event = events.pop() {
            now = event.time
            eventCount += 1
            if event.kind == .end {
                isLate = true
                break
            }
            perform(event)
            if unfinishedJobs == 0, isDone { break }
        }
        if isLate { trace?.note(now, "time is over and \(unfinishedJobs) jobs are not done") }
        checkers.worldEnded(
            WorldEnd(machine: coordinator.machine, journal: disk.batches, isLate: isLate),
            at: moment
        )
        return report(isLate: isLate)
    }

    private mutating func begin() {
        for worker in workers.indices {
            events.insert(.workerStarts, at: workerRandom.within(0...5_000_000), place: worker)
        }
        for client in clients.indices {
            events.insert(.clientStarts, at: clientRandom.within(0...2_000_000), place: client)
        }
        for place in jobs.indices where jobs[place].choice == 0 {
            events.insert(.submit, at: configuration.jobs[jobs[place].spec].submittedAt, place: place)
        }
        for (place, action) in script.enumerated() {
            if case .at(let time) = action.trigger { events.insert(.scripted, at: time, place: place) }
        }
        if configuration.faults.weights.contains(where: { $0 > 0 }) { planFault() }
        events.insert(.heal, at: configuration.faultTime)
        events.insert(.end, at: configuration.faultTime + configuration.settleTime)
        planTurn(at: 0)
    }

    private mutating func perform(_ event: Event) {
        let place = Int(event.place)
        let detail = Int(event.detail)
        switch event.kind {
        case .turn: turnDue()
        case .workerToCoordinator: workerMessagesArrive(place)
        case .coordinatorToWorker: messagesReachWorker(place)
        case .clientToCoordinator: clientMessagesArrive(place)
        case .coordinatorToClient: messagesReachClient(place)
        case .coordinatorNoticesWorker: coordinatorNoticesWorker(place)
        case .coordinatorNoticesClient: coordinatorNoticesClient(place)
        case .workerNotices: workerNotices(place)
        case .clientNotices: clientNotices(place)
        case .workerConnects: workerConnects(place, life: detail)
        case .clientConnects: clientConnects(place, life: detail)
        case .workerStarts: workerStarts(place)
        case .step: stepEnds(place, serial: detail)
        case .beat: beat(place, chain: detail)
        case .workerResumes: workerResumes(place, life: detail)
        case .submit: submitDue(place)
        case .clientStarts: clientStarts(place)
        case .clientResumes: clientResumes(place)
        case .coordinatorStarts: coordinatorStarts()
        case .fault: faultDue()
        case .heartbeat: heartbeatMissed(place, partition: detail)
        case .partitionEnds: partitionEnds(place)
        case .flap: flap(place, left: detail)
        case .heal: heal()
        case .scripted: runScripted(place)
        case .end: break
        }
    }

    private func report(isLate: Bool) -> WorldReport {
        WorldReport(
            seed: configuration.seed,
            virtualTime: .nanoseconds(now),
            events: eventCount,
            faults: faultCounts,
            tokens: Int(coordinator.machine.counters.tokens),
            isLate: isLate,
            violations: ownViolations + checkers.violations,
            digest: digest.value
        )
    }
}
