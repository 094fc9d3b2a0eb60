import ApusModel

/// Bounds how much of the cluster's work is done again: a retry takes from what first attempts and time put in.
///
/// In a storm, retries then add at most a fifth to the load, and a quiet cluster still recovers ten streams a second.
/// All is counted in nanoseconds of the refill by time, in which both sources are whole numbers, so that nothing
/// drifts.
struct RetryBudget: Sendable {
    /// What a retry takes: time puts in 10 a second.
    private static let retry: Int64 = 100_000_000

    /// What a first attempt puts in: a fifth of a retry.
    private static let attempt: Int64 = retry / 5

    /// What is there at the start: 10 s of time, so that a coordinator that just started can recover streams too.
    private static let start: Int64 = 100 * retry

    /// Retries that can be saved up: what 100,000 streams in flight put in when they started, and 10 s of time.
    ///
    /// More would let an old quiet day pay for a storm; less would make the streams of a large cluster, half of which
    /// dies, wait although their own starts paid for their retries.
    static let capacity = 100_000 / 5 + 100

    private var level = start

    /// Up to when time has put in; `nil` before time is first told.
    private var filledAt: Timestamp?

    /// Begins with 10 s worth of time.
    init() {}

    /// Retries that could be taken now.
    func available(at now: Timestamp) -> Int { Int(level(at: now) / Self.retry) }

    /// Notes that a stream's first attempt started.
    mutating func attemptStarted() {
        level = min(level + Self.attempt, Int64(Self.capacity) * Self.retry)
    }

    /// Takes one retry out.
    ///
    /// - Parameter now: The present moment; one that is earlier than another before puts nothing in.
    /// - Returns: Whether there was one; otherwise nothing changes.
    mutating func take(at now: Timestamp) -> Bool {
        level = level(at: now)
        filledAt = max(filledAt ?? now, now)
        guard level >= Self.retry else { return false }
        level -= Self.retry
        return true
    }

    private func level(at now: Timestamp) -> Int64 {
        guard let filledAt, now > filledAt else { return level }
        let room = Int64(Self.capacity) * Self.retry - level
        let (elapsed, overflow) = now.nanoseconds.subtractingReportingOverflow(filledAt.nanoseconds)
        return level + (overflow ? room : min(elapsed, room))
    }
}
