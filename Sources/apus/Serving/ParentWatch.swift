import Foundation
import ServiceLifecycle

/// Ends when the standard input closes: the parent holds the other end, so it closes however the parent dies.
struct ParentWatch: Service {
    /// How long the process may take to shut down without its parent.
    private static let grace: UInt32 = 5

    func run() async throws {
        let (closed, signal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        // A thread of its own: the read blocks until the parent is gone, which may be never.
        Thread.detachNewThread {
            var byte: UInt8 = 0
            while true {
                let count = read(STDIN_FILENO, &byte, 1)
                if count == 0 || (count < 0 && errno != EINTR) { break }
            }
            signal.finish()
            // Nobody is left to stop a process that hangs in its shutdown.
            sleep(Self.grace)
            _exit(ExitStatus.failed.rawValue)
        }
        for await _ in closed.cancelOnGracefulShutdown() {}
    }
}
