public import Foundation
import Synchronization

/// A child process that is started, watched and killed for real.
///
/// Its standard output is read line by line; its standard error goes to a file, so that a failing test can show it.
/// The process is killed when the last reference goes. Not for concurrent use.
public final class ServerProcess {
    /// What went wrong with a child.
    public struct Failure: Error, CustomStringConvertible {
        /// What happened, with what the child wrote.
        public let description: String

        /// Describes a failure.
        public init(description: String) {
            self.description = description
        }
    }

    /// The process's number.
    public let processID: pid_t

    /// Where its standard error goes.
    public let errorFile: String

    /// The children that run: a process that has to end at once takes them along.
    private static let running = Mutex<Set<pid_t>>([])

    private let output: Int32
    private var pending: [UInt8] = []
    private var exitStatus: Int32?

    /// Starts a child with its standard output in a pipe.
    ///
    /// - Parameters:
    ///   - executable: The program's path.
    ///   - arguments: Its arguments, without its name.
    ///   - environment: Variables that are set beside the present ones.
    /// - Throws: `Failure` where the child can't be started.
    public init(_ executable: String, _ arguments: [String], environment: [String: String] = [:]) throws {
        errorFile = NSTemporaryDirectory() + "/apus-\(getpid())-\(UUID().uuidString).log"
        let variables = ProcessInfo.processInfo.environment.merging(environment) { _, new in new }
        // One child is started at a time: none inherits another one's pipe before that is marked as not to be inherited.
        (processID, output) = try Self.running.withLock { [errorFile] running throws(Failure) in
            let child = try Self.start(executable, arguments, variables: variables, errorFile: errorFile)
            running.insert(child.processID)
            return child
        }
    }

    /// Starts a child.
    ///
    /// - Returns: Its number, and where its standard output is read.
    private static func start(
        _ executable: String,
        _ arguments: [String],
        variables: [String: String],
        errorFile: String
    ) throws(Failure) -> (processID: pid_t, output: Int32) {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw Failure(description: "no pipe: errno \(errno)") }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        posix_spawn_file_actions_addopen(&actions, 2, errorFile, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        // No other child may hold this child's pipe open.
        posix_spawn_file_actions_addclose(&actions, ends[0])
        _ = fcntl(ends[0], F_SETFD, FD_CLOEXEC)
        _ = fcntl(ends[1], F_SETFD, FD_CLOEXEC)
        var number = pid_t()
        let status = withStrings([executable] + arguments) { words in
            withStrings(variables.map { "\($0.key)=\($0.value)" }) { settings in
                posix_spawn(&number, executable, &actions, nil, words, settings)
            }
        }
        close(ends[1])
        guard status == 0 else {
            close(ends[0])
            throw Failure(description: "\(executable) can't be started: \(String(cString: strerror(status)))")
        }
        return (number, ends[0])
    }

    /// Kills every child of this process: for its own sudden end.
    public static func killAll() {
        running.withLock { running in
            for child in running { _ = Foundation.kill(child, SIGKILL) }
        }
    }

    deinit {
        if exitStatus == nil {
            kill(SIGKILL)
            _ = waitForExit()
        }
        close(output)
        unlink(errorFile)
    }

    /// The next line of the child's standard output, or `nil` at its end.
    ///
    /// Blocks until it is there.
    public func readLine() -> String? {
        while true {
            if let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
                let line = String(decoding: pending[..<end], as: UTF8.self)
                pending.removeSubrange(...end)
                return line
            }
            var bytes = [UInt8](repeating: 0, count: 65_536)
            let count = read(output, &bytes, bytes.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                guard !pending.isEmpty else { return nil }
                defer { pending.removeAll() }
                return String(decoding: pending, as: UTF8.self)
            }
            pending += bytes.prefix(count)
        }
    }

    /// Everything that the child writes until it closes its standard output.
    public func readToEnd() -> String {
        var lines: [String] = []
        while let line = readLine() { lines.append(line) }
        return lines.joined(separator: "\n")
    }

    /// Waits for the server's `READY` line.
    ///
    /// - Parameter timeout: How long to wait; the child is killed where that is not enough. `nil` waits as long as it takes.
    /// - Returns: The line's `name=value` pairs.
    /// - Throws: `Failure` with what the child wrote, where it ends without the line.
    public func waitUntilReady(within timeout: Duration? = nil) throws -> [String: String] {
        if let timeout, !hasOutput(within: timeout) {
            kill(SIGKILL)
            throw Failure(description: "the server was not ready within \(timeout): \(errors)")
        }
        while let line = readLine() {
            guard line.hasPrefix("READY ") else { continue }
            let pairs = line.split(separator: " ").dropFirst().map { $0.split(separator: "=", maxSplits: 1) }
            return Dictionary(
                pairs.map { (String($0[0]), $0.count > 1 ? String($0[1]) : "") },
                uniquingKeysWith: { first, _ in first }
            )
        }
        let status = waitForExit()
        throw Failure(description: "the server ended with \(status) before it was ready: \(errors)")
    }

    /// Whether the child writes something, or ends, within a time.
    private func hasOutput(within timeout: Duration) -> Bool {
        guard pending.isEmpty else { return true }
        var entry = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
        let end = ContinuousClock.now + timeout
        while true {
            let rest = Int32(clamping: Int((end - .now) / .milliseconds(1)))
            let count = poll(&entry, 1, max(0, rest))
            guard count < 0, errno == EINTR else { return count > 0 }
        }
    }

    /// Whether the child has not ended.
    public var isRunning: Bool {
        guard exitStatus == nil else { return false }
        var status: Int32 = 0
        guard waitpid(processID, &status, WNOHANG) == processID else { return true }
        ended(status)
        return false
    }

    /// What the child wrote to its standard error so far.
    public var errors: String {
        let data = FileManager.default.contents(atPath: errorFile) ?? Data()
        return String(decoding: data, as: UTF8.self)
    }

    /// Sends a signal, unless the child has been waited for.
    public func kill(_ signal: Int32) {
        if exitStatus == nil { Foundation.kill(processID, signal) }
    }

    /// Waits until the child is gone.
    ///
    /// - Returns: Its exit status, or the negative number of the signal that killed it.
    @discardableResult
    public func waitForExit() -> Int32 {
        if let exitStatus { return exitStatus }
        var status: Int32 = 0
        // A number is free for other processes once it is waited for: the child is no longer killed with the others then.
        var information = siginfo_t()
        while waitid(P_PID, id_t(processID), &information, WEXITED | WNOWAIT) < 0, errno == EINTR {}
        _ = Self.running.withLock { $0.remove(processID) }
        while waitpid(processID, &status, 0) < 0, errno == EINTR {}
        return ended(status)
    }

    @discardableResult
    private func ended(_ status: Int32) -> Int32 {
        _ = Self.running.withLock { $0.remove(processID) }
        let signal = status & 0x7f
        let result = signal == 0 ? (status >> 8) & 0xff : -signal
        exitStatus = result
        return result
    }

    /// Calls `body` with a C array of C strings that ends with a null pointer.
    private static func withStrings<R>(
        _ strings: [String],
        _ body: ([UnsafeMutablePointer<CChar>?]) -> R
    ) -> R {
        // Invariant: the copies live until after the call, and `posix_spawn` does not write to them.
        let copies = strings.map { strdup($0) } + [nil]
        defer { for copy in copies { free(copy) } }
        return body(copies)
    }
}
