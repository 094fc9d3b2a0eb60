/// How much may wait for a slot, in all models' queues together.
public struct AdmissionLimits: Hashable, Sendable {
    /// Token work that may wait: prompts and expected outputs.
    ///
    /// 64 Mi tokens are an hour of a cluster that serves 20,000 tokens a second; longer, and deadlines pass in the
    /// queue.
    public var work = 64 << 20

    /// Streams that may wait: what streams of few tokens cost is memory, not work.
    public var streams = 200_000

    /// The shortest time that a refused client is told to wait: a turn or two of the coordinator can't change the
    /// answer.
    public var shortestRetry: Duration = .milliseconds(100)

    /// The longest time that a refused client is told to wait; by then the cluster may be another one.
    public var longestRetry: Duration = .seconds(10)

    /// What a refused client is told to wait while the cluster's rate isn't measured.
    public var unmeasuredRetry: Duration = .seconds(1)

    /// Takes the defaults.
    public init() {}
}
