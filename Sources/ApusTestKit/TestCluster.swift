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

    private let coordinatorArguments: [String]
    private let environment: [String: String]
    private var started = 0

    /// Starts a coordinator.
    ///
    /// - Parameters:
    ///   - executable: The `apus` command.
    ///   - clients: Its endpoint for clients; a free port by default.
    ///   - workers: Its endpoint for workers; a free port by default.
    ///   - data: The folder of its journal; `nil` keeps it in memory.
    ///   - arguments: Further arguments of `apus coordinator`, also after a restart.
    ///   - environment: Variables for the coordinator beside the present ones, also after a restart.
    /// - Throws: `ServerProcess.Failure` where it doesn't become ready.
    public init(
        executable: String,
        clients: String = "tcp://127.0.0.1:*",
        workers: String = "tcp://127.0.0.1:*",
        data: String? = nil,
        arguments: [String] = [],
        environment: [String: String] = [:]
    ) throws {
        self.executable = executable
        coordinatorArguments = (data.map { ["--data", $0] } ?? ["--ephemeral"]) + arguments
        self.environment = environment
        let endpoints = ["coordinator", "--clients", clients, "--workers", workers, "--log-level", "warning"]
        coordinator = try ServerProcess(executable, endpoints + coordinatorArguments, environment: environment)
        let ready = try coordinator.waitUntilReady()
        guard let clients = ready["clients"], let workers = ready["workers"] else {
            throw ServerProcess.Failure(description: "the READY line names no endpoints: \(ready)")
        }
        self.clients = clients
        self.workers = workers
    }

    /// Kills the coordinator and starts it again at its endpoints, with its arguments.
    ///
    /// - Parameter timeout: How long to wait for its `READY` line; `nil` does not wait for it.
    /// - Throws: `ServerProcess.Failure` where it doesn't become ready.
    public func restartCoordinator(readyWithin timeout: Duration? = .seconds(30)) throws {
        coordinator.kill(SIGKILL)
        coordinator.waitForExit()
        let endpoints = ["coordinator", "--clients", clients, "--workers", workers, "--log-level", "warning"]
        coordinator = try ServerProcess(executable, endpoints + coordinatorArguments, environment: environment)
        if let timeout { _ = try coordinator.waitUntilReady(within: timeout) }
    }

    /// Two endpoints of the loopback interface for a coordinator that is restarted.
    ///
    /// Their ports lie below those that the system gives to outgoing connections: a client that tries a port at which nobody listens
    /// could otherwise be given the same one, and the new coordinator would find it taken.
    ///
    /// - Returns: The endpoints for clients and workers.
    /// - Throws: `ServerProcess.Failure` where no port is free.
    public static func fixedEndpoints() throws -> (clients: String, workers: String) {
        var free: [Int] = []
        for _ in 0..<1_000 where free.count < 2 {
            let port = Int.random(in: 12_000..<32_000)
            if !free.contains(port), isFree(port) { free.append(port) }
        }
        guard free.count == 2 else {
            throw ServerProcess.Failure(description: "no two ports between 12000 and 32000 are free")
        }
        return ("tcp://127.0.0.1:\(free[0])", "tcp://127.0.0.1:\(free[1])")
    }

    private static func isFree(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let status = withUnsafeBytes(of: &address) { bytes in
            // Invariant: the address lives until after the call, which only reads it.
            bytes.withMemoryRebound(to: sockaddr.self) { bind(descriptor, $0.baseAddress, socklen_t(bytes.count)) }
        }
        return status == 0
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
