/// What a client must see of a job for it to count as good.
public struct ServiceObjective: Hashable, Sendable {
    /// The longest time from the submit to the first token, in milliseconds.
    public var firstToken = 2_000.0

    /// The longest mean time between two tokens, in milliseconds: 150 is 6.7 tokens a second, faster than people read.
    public var tokenTime = 150.0

    /// The objective that the documentation's table was made with.
    public init() {}

    /// Whether a job meets it.
    func isMet(by job: JobTimes) -> Bool { job.firstToken <= firstToken && (job.tokenTime ?? 0) <= tokenTime }
}
