import ApusModel
import Logging

/// Logs a kind of event at most once a second and says how many there were, so that a peer can't flood the log.
struct RateLimitedLog {
    private static let interval: Duration = .seconds(1)

    /// Events so far.
    private(set) var count: UInt64 = 0

    private var silentUntil = Timestamp.zero

    /// Counts an event and logs it, unless one was logged less than a second ago.
    mutating func note(_ logger: Logger, _ message: String, reason: String, now: Timestamp) {
        count += 1
        guard now >= silentUntil else { return }
        silentUntil = now + Self.interval
        logger.warning("\(message)", metadata: ["reason": "\(reason)", "count": "\(count)"])
    }
}
