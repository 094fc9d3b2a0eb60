import ApusModel

/// Whether a simulated coordinator's batches are taken, and when a refused one is tried again, as `JournalKeeper` of the
/// production's coordinator says it.
struct SimulatedKeeper {
    /// How long after a failure a batch is tried again, at first and at most, in nanoseconds.
    static let firstRetry: Int64 = 50_000_000
    static let longestRetry: Int64 = 1_000_000_000

    /// When the batch is tried again; `nil` while all is well.
    private(set) var retryAt: Int64?
    private var wait = Self.firstRetry

    /// Whether batches are taken.
    @inline(__always)
    var isWell: Bool { retryAt == nil }

    /// A batch was refused.
    mutating func failed(at now: Int64) {
        retryAt = now + wait
        wait = min(wait * 2, Self.longestRetry)
    }

    /// A batch was taken.
    mutating func committed() {
        if !isWell { self = SimulatedKeeper() }
    }

    /// What a client is told that wants a promise, or whose tokens can't be read.
    static let refusal = ApusError(
        .journalUnavailable,
        "the coordinator can't write its journal and promises nothing until it can",
        retryAfter: .seconds(1)
    )
}
