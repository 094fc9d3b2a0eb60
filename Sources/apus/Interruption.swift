import Foundation
import UnixSignals

/// Work that Ctrl-C ends: the first one cancels it, the second one ends the process at once.
enum Interruption {
    private enum Outcome: Sendable {
        case finished(ExitStatus)
        case interrupted
    }

    /// Runs work until it is done or interrupted by SIGINT or SIGTERM.
    ///
    /// - Parameter work: Cancelled at the first signal, and awaited.
    /// - Returns: What the work ends with, or `interrupted`.
    /// - Throws: What the work throws before a signal comes.
    static func interruptible(_ work: @escaping @Sendable () async throws -> ExitStatus) async throws -> ExitStatus {
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        let (first, trigger) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        return try await withThrowingTaskGroup(of: Void.self, returning: ExitStatus.self) { group in
            group.addTask {
                var count = 0
                for await _ in signals {
                    count += 1
                    if count > 1 { _exit(ExitStatus.interrupted.rawValue) }
                    trigger.yield()
                }
            }
            defer { group.cancelAll() }
            return try await run(work, until: first)
        }
    }

    private static func run(
        _ work: @escaping @Sendable () async throws -> ExitStatus,
        until interrupt: AsyncStream<Void>
    ) async throws -> ExitStatus {
        try await withThrowingTaskGroup(of: Outcome.self) { group in
            group.addTask { .finished(try await work()) }
            group.addTask {
                for await _ in interrupt { return .interrupted }
                return .interrupted
            }
            defer { group.cancelAll() }
            switch try await group.next() {
            case .finished(let status): return status
            case .interrupted, nil: return .interrupted
            }
        }
    }
}
