/// What `apus up` runs: a coordinator and its workers, as the command lines of this program.
struct LocalCluster: Sendable {
    /// Where the coordinator listens for clients.
    let clients: String

    /// Where it listens for workers.
    let workersEndpoint: String

    /// The coordinator's arguments for its journal and for clients' shares.
    let coordinatorArguments: [String]

    /// The number of workers.
    let workers: Int

    /// The arguments that all workers share.
    let workerArguments: [String]

    /// The level to log at.
    let logLevel: String

    /// The processes' names, the coordinator's first; workers are registered under theirs.
    var names: [String] { ["coordinator"] + (0..<workers).map { "worker-\($0 + 1)" } }

    /// A process's arguments.
    ///
    /// - Parameters:
    ///   - child: 0 for the coordinator, then the workers.
    ///   - endpoints: Where the coordinator listens, once it has said so; it listens there again after a restart.
    /// - Returns: The command's name, flags and values.
    func arguments(of child: Int, endpoints: (clients: String, workers: String)?) -> [String] {
        let common = ["--log-level", logLevel, "--exit-with-stdin"]
        let clients = endpoints?.clients ?? clients
        let workers = endpoints?.workers ?? workersEndpoint
        if child == 0 {
            return ["coordinator", "--clients", clients, "--workers", workers] + coordinatorArguments + common
        }
        return ["worker", "--coordinator", Self.reachable(workers), "--name", names[child]] + workerArguments + common
    }

    /// The threads of each worker: the machine's processors, shared.
    static func threads(processors: Int, workers: Int) -> Int { max(1, processors / max(1, workers)) }

    /// The fields of a READY line.
    static func fields(ofReady line: String) -> [String: String] {
        var fields: [String: String] = [:]
        for part in line.split(separator: " ").dropFirst() {
            let halves = part.split(separator: "=", maxSplits: 1)
            if halves.count == 2 { fields[String(halves[0])] = String(halves[1]) }
        }
        return fields
    }

    /// An endpoint to connect to, for one that listens on every interface.
    static func reachable(_ endpoint: String) -> String {
        for wildcard in ["tcp://0.0.0.0:", "tcp://*:", "tcp://[::]:"] where endpoint.hasPrefix(wildcard) {
            return "tcp://127.0.0.1:" + endpoint.dropFirst(wildcard.count)
        }
        return endpoint
    }
}
