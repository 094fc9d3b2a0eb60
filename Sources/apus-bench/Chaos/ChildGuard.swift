import ApusTestKit
import Foundation

/// Kills all child processes when this process is to end by a signal, so that none is left behind.
struct ChildGuard {
    private let sources: [any DispatchSourceSignal]

    /// Begins to watch for SIGINT, SIGTERM and SIGHUP.
    init() {
        sources = [SIGINT, SIGTERM, SIGHUP].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                ServerProcess.killAll()
                _exit(128 + number)
            }
            source.resume()
            return source
        }
    }
}
