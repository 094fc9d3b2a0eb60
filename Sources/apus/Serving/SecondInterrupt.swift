import Foundation
import ServiceLifecycle

/// Lets a second Ctrl-C end a server at once while it still waits for its streams.
struct SecondInterrupt: Service {
    /// Waits for the graceful shutdown that the first Ctrl-C begins, then gives the signal back to the system.
    func run() async throws {
        try await gracefulShutdown()
        signal(SIGINT, SIG_DFL)
    }
}
