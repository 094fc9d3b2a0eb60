import Foundation

/// A coordinator and workers as real processes on free ports of the loopback interface.
public final class TestCluster {
    /// The `apus` command.
    public let executable: String

    /// The coordinator.
    public private(set) var coordinator: ServerProcess

    /// Where clients reach the coordinator.
    public private(set) var clients: String

    /// Where workers reach the coordinator.
    public private(set) var workers: String

    private var started = 0

    /// Starts a coordinator.
    ///
    /// - Parameters:
    ///   - executable: The `apus` command.
    ///   - clients: Its endpoint for clients; a free port by default.
    ///   - workers: Its endpoint for workers; a free port by default.
    /// - Throws: `ServerProcess.Failure` where it doesn't become ready.
    public init(
        executable: String,
        clients: String = "tcp://127.0.0.1:*",
        workers: String = "tcp://127.0.0.1:*"
    ) throws {
        self.executable = executable
        let endpoints = ["coordinator", "--clients", clients, "--workers", workers, "--log-level", "warning"]
        coordinator = try ServerProcess(executable, endpoints)
        let ready = try coordinator.waitUntilReady()
        guard let clients = ready["clients"], let workers = ready["workers"] else {
            throw ServerProcess.Failure(description: "the READY line names no endpoints: \(ready)")
        }
        self.clients = clients
        self.workers = workers
    }

    /// Starts a worker; returns when it is registered, unless told not to wait.
    ///
    /// - Parameters:
    ///   - arguments: Further arguments of `apus worker`.
    ///   - name: The worker's name; counted by default.
    ///   - waits: Whether to wait for its `READY` line.
    /// - Returns: The worker's process.
    /// - Throws: `ServerProcess.Failure` where it doesn't become ready.
    public func startWorker(_ arguments: [String], name: String? = nil, waits: Bool = true) throws -> ServerProcess {
        started += 1
        let common = ["worker", "--coordinator", workers, "--name", name ?? "w\(started)", "--log-level", "warning"]
        let worker = try ServerProcess(executable, common + arguments)
        if waits { _ = try worker.waitUntilReady() }
        return worker
    }

    /// Starts a simulated worker whose passes cost what is said; nothing by default.
    public func startSimulatedWorker(
        name: String? = nil,
        slots: Int = 16,
        stepMicroseconds: Int = 0,
        rowMicroseconds: Int = 0,
        prefillMicroseconds: Int = 0,
        further: [String] = [],
        waits: Bool = true
    ) throws -> ServerProcess {
        try startWorker(
            [
                "--engine", "simulated", "--slots", "\(slots)", "--max-batch", "\(slots)", "--sim-step-us",
                "\(stepMicroseconds)", "--sim-row-us", "\(rowMicroseconds)", "--sim-prefill-us",
                "\(prefillMicroseconds)",
            ] + further,
            name: name,
            waits: waits
        )
    }

    /// Runs an `apus` command against this cluster to its end.
    ///
    /// - Returns: Its exit status, its standard output and its standard error.
    public func run(_ arguments: [String]) throws -> (status: Int32, output: String, errors: String) {
        let command = try ServerProcess(executable, arguments, environment: ["APUS_COORDINATOR": clients])
        let output = command.readToEnd()
        let status = command.waitForExit()
        return (status, output, command.errors)
    }

    /// Finds a program of this package beside the running one: for tests, and for benchmarks.
    ///
    /// - Parameters:
    ///   - name: The program's name.
    ///   - variable: An environment variable that overrides its path.
    /// - Returns: Its path.
    /// - Throws: `ServerProcess.Failure` where it isn't built.
    public static func program(_ name: String, variable: String) throws -> String {
        if let path = ProcessInfo.processInfo.environment[variable] { return path }
        var folder = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        // A test bundle is run by a tool of the toolchain; then the build's folder is where the bundle is.
        if let bundle = CommandLine.arguments.first(where: { $0.hasSuffix(".xctest") }) {
            folder = URL(fileURLWithPath: bundle).deletingLastPathComponent()
        }
        let path = folder.appendingPathComponent(name).path
        guard FileManager.default.isExecutableFile(atPath: path) else {
            throw ServerProcess.Failure(description: "\(path) is missing: run `swift build` first, or set \(variable)")
        }
        return path
    }
}
