import Synchronization

/// Says, across threads, that a shutdown was asked for; it never goes back.
final class ShutdownFlag: Sendable {
    private let raised = Atomic<Bool>(false)

    /// Whether a shutdown was asked for.
    var isRaised: Bool { raised.load(ordering: .acquiring) }

    /// Asks for a shutdown.
    func raise() {
        raised.store(true, ordering: .releasing)
    }
}
