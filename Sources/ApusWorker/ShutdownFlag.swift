import Synchronization

/// Says, across threads, that a shutdown was asked for; it never goes back.
final class ShutdownFlag: Sendable {
    /// How urgent a shutdown is.
    enum Urgency: UInt8 {
        case none
        /// Streams may finish.
        case graceful
        /// At once.
        case immediate
    }

    private let raised = Atomic<UInt8>(Urgency.none.rawValue)

    /// What was asked for.
    var urgency: Urgency { Urgency(rawValue: raised.load(ordering: .acquiring)) ?? .immediate }

    /// Asks for a shutdown; a less urgent one than before changes nothing.
    func raise(_ urgency: Urgency) {
        raised.max(urgency.rawValue, ordering: .releasing)
    }
}
