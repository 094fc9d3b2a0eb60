public import Foundation

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
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw Failure(description: "no pipe: errno \(errno)") }
        output = ends[0]
        errorFile = NSTemporaryDirectory() + "/apus-\(getpid())-\(UUID().uuidString).log"
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
        let variables = ProcessInfo.processInfo.environment.merging(environment) { _, new in new }
        var number = pid_t()
        let status = Self.withStrings([executable] + arguments) { words in
            Self.withStrings(variables.map { "\($0.key)=\($0.value)" }) { settings in
                posix_spawn(&number, executable, &actions, nil, words, settings)
            }
        }
        close(ends[1])
        guard status == 0 else {
            close(output)
            throw Failure(description: "\(executable) can't be started: \(String(cString: strerror(status)))")
        }
        processID = number
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
    /// - Returns: The line's `name=value` pairs.
    /// - Throws: `Failure` with what the child wrote, where it ends without the line.
    public func waitUntilReady() throws -> [String: String] {
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
        while waitpid(processID, &status, 0) < 0, errno == EINTR {}
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
