/// What is done to a cluster in a round of chaos.
enum Upset: String, Sendable, CaseIterable {
    /// SIGKILL of the coordinator.
    case coordinator
    /// SIGKILL of the coordinator, and again while it starts.
    case coordinatorTwice
    /// SIGSTOP of the coordinator, and SIGCONT after a while.
    case pause
    /// SIGKILL of a worker.
    case worker
    /// SIGKILL of all workers.
    case workers
    /// SIGKILL of a client.
    case client
    /// SIGKILL of the coordinator and a worker.
    case coordinatorAndWorker
    /// SIGKILL of the coordinator, all workers and all clients that are processes of their own.
    case everything

    /// What tables call it.
    var title: String {
        switch self {
        case .coordinator: "coordinator killed"
        case .coordinatorTwice: "coordinator killed twice"
        case .pause: "coordinator stopped"
        case .worker: "worker killed"
        case .workers: "all workers killed"
        case .client: "client killed"
        case .coordinatorAndWorker: "coordinator and worker killed"
        case .everything: "everything killed"
        }
    }

    /// How often it comes, against the others.
    var weight: Int {
        switch self {
        case .coordinator: 8
        case .worker: 4
        case .client: 3
        case .coordinatorTwice, .pause, .workers, .coordinatorAndWorker, .everything: 2
        }
    }

    /// Whether the coordinator dies.
    var killsCoordinator: Bool {
        switch self {
        case .coordinator, .coordinatorTwice, .coordinatorAndWorker, .everything: true
        case .pause, .worker, .workers, .client: false
        }
    }

    /// How many workers a stream may lose one after the other.
    ///
    /// Where all die at once it may be given to another dead one, before that is known, but not to a third: after two losses it waits
    /// until every dead worker is known.
    var workerDeaths: Int {
        switch self {
        case .worker, .coordinatorAndWorker: 1
        case .workers, .everything: 2
        case .coordinator, .coordinatorTwice, .pause, .client: 0
        }
    }
}
