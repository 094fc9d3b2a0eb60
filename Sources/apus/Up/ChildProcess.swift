import Foundation

/// A child of `apus up`: its lines are read, and it stops when its parent is gone, for its standard input then closes.
///
/// It runs in a process group of its own, so that Ctrl-C reaches the parent only, which stops its children in order.
final class ChildProcess: Sendable {
    /// What happens to a child, on threads of its own.
    enum Event: Sendable {
        /// A line on its standard output.
        case output(String)
        /// A line on its error output.
        case complaint(String)
        /// It ended, and all its lines have been read.
        case exited(SupervisorMachine.Exit)
    }

    private let process: Process
    private let input: Pipe

    /// Starts a child.
    ///
    /// - Parameters:
    ///   - executable: The program.
    ///   - arguments: Its arguments.
    ///   - onEvent: Called for each event, `exited` last.
    /// - Throws: What the system says where the program can't be started.
    init(executable: URL, arguments: [String], onEvent: @escaping @Sendable (Event) -> Void) throws {
        process = Process()
        input = Pipe()
        let output = Pipe()
        let complaints = Pipe()
        process.executableURL = executable
        process.arguments = arguments
        process.standardInput = input
        process.standardOutput = output
        process.standardError = complaints
        // Three facts have to come together before the end may be told: both outputs are read, and the status is known.
        let parts = DispatchGroup()
        for _ in 0..<3 { parts.enter() }
        process.terminationHandler = { process in
            parts.leave()
            let exit: SupervisorMachine.Exit =
                process.terminationReason == .exit
                ? .status(process.terminationStatus) : .signal(process.terminationStatus)
            parts.notify(queue: .global()) { onEvent(.exited(exit)) }
        }
        do {
            try process.run()
        } catch {
            for _ in 0..<3 { parts.leave() }
            throw error
        }
        Self.read(output.fileHandleForReading, { onEvent(.output($0)) }, atEnd: { parts.leave() })
        Self.read(complaints.fileHandleForReading, { onEvent(.complaint($0)) }, atEnd: { parts.leave() })
    }

    /// The child's process.
    var pid: Int32 { process.processIdentifier }

    /// Asks the child to stop.
    func stop() {
        kill(pid, SIGTERM)
    }

    /// Ends the child at once.
    func kill() {
        kill(pid, SIGKILL)
    }

    private func kill(_ pid: Int32, _ signal: Int32) {
        // A child that is gone already needs no signal; its number is not reused before Foundation has collected it.
        if process.isRunning { _ = Foundation.kill(pid, signal) }
    }

    /// Reads lines on a thread of its own, which ends with the file.
    private static func read(
        _ file: FileHandle,
        _ onLine: @escaping @Sendable (String) -> Void,
        atEnd: @escaping @Sendable () -> Void
    ) {
        let descriptor = file.fileDescriptor
        Thread.detachNewThread {
            var rest: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 4096)
            // A line without an end must not grow without one.
            let longestLine = 64 << 10
            while true {
                let count = Foundation.read(descriptor, &buffer, buffer.count)
                if count < 0, errno == EINTR { continue }
                if count <= 0 { break }
                rest.append(contentsOf: buffer[0..<count])
                while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                    onLine(String(decoding: rest[..<end], as: UTF8.self))
                    rest.removeSubrange(...end)
                }
                if rest.count > longestLine {
                    onLine(String(decoding: rest, as: UTF8.self))
                    rest = []
                }
            }
            if !rest.isEmpty { onLine(String(decoding: rest, as: UTF8.self)) }
            withExtendedLifetime(file) {}
            atEnd()
        }
    }
}
