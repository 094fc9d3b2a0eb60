import ApusModel

/// Whether the journal takes batches, and when a refused one is tried again.
///
/// While it takes none nothing is promised: the coordinator holds its turn, takes nothing from workers and accepts no job.
struct JournalKeeper {
    /// How long after a failure a batch is tried again, at first and at most.
    static let firstRetry: Duration = .milliseconds(50)
    static let longestRetry: Duration = .seconds(1)

    /// What is wrong; `nil` while all is well.
    private(set) var failure: ApusError?

    /// Since when.
    private(set) var failingSince: Timestamp?

    /// When the batch is tried again.
    private(set) var retryAt: Timestamp?

    private var wait = Self.firstRetry

    /// Whether batches are taken.
    var isWell: Bool { failure == nil }

    /// A batch was refused.
    ///
    /// - Returns: Whether this is the first of a row of failures, or another one than before.
    mutating func failed(_ error: ApusError, at now: Timestamp) -> Bool {
        let isNew = failure?.message != error.message
        failure = error
        failingSince = failingSince ?? now
        retryAt = now + wait
        wait = min(wait * 2, Self.longestRetry)
        return isNew
    }

    /// A batch was taken.
    ///
    /// - Returns: For how long none was; `nil` where all was well.
    mutating func committed(at now: Timestamp) -> Duration? {
        guard let since = failingSince else { return nil }
        self = JournalKeeper()
        return now - since
    }

    /// What a client is told that wants a promise.
    var refusal: ApusError {
        ApusError(
            .journalUnavailable,
            "the coordinator can't write its journal and promises nothing until it can: \(failure?.message ?? "")",
            retryAfter: .seconds(1)
        )
    }
}
