import ApusTestKit
import Foundation
import Synchronization

/// A client that is a process of its own, which can be killed; one after the other.
///
/// Isolation: `run` for one task at a time, `kill` for everybody.
final class ClientCommand: Sendable {
    /// How a process ended.
    struct End: Sendable {
        /// Its exit status, or the negative number of the signal that killed it; `nil` where it could not be started.
        var status: Int32?
        /// What it wrote to its standard error, or why it could not be started.
        var errors: String
    }

    private struct State {
        /// The process, as long as its number is surely its own.
        var processID: pid_t?
        /// The reader of the stream that it prints.
        var follower: Int?
    }

    private let program: String
    private let state = Mutex(State())

    /// Runs an `apus` command.
    init(program: String) {
        self.program = program
    }

    /// The reader whose stream the present process prints.
    var follower: Int? { state.withLock { $0.follower } }

    /// Runs a process to its end, on a thread of its own.
    ///
    /// - Parameters:
    ///   - arguments: Its arguments.
    ///   - follower: The reader of the stream that it prints.
    ///   - onLine: Called on that thread for each line of its standard output.
    /// - Returns: How it ended.
    func run(
        _ arguments: [String],
        follower: Int,
        onLine: @escaping @Sendable (String) -> Void
    ) async -> End {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread { [self] in
                do {
                    let process = try ServerProcess(program, arguments)
                    state.withLock { $0 = State(processID: process.processID, follower: follower) }
                    while let line = process.readLine() { onLine(line) }
                    // Nobody waits for it before this line, so that its number is its own until here.
                    state.withLock { $0 = State() }
                    let status = process.waitForExit()
                    continuation.resume(returning: End(status: status, errors: process.errors))
                } catch {
                    continuation.resume(returning: End(status: nil, errors: "\(error)"))
                }
            }
        }
    }

    /// Kills the process, if there is one.
    func kill() {
        state.withLock { state in
            if let process = state.processID { _ = Foundation.kill(process, SIGKILL) }
        }
    }
}
