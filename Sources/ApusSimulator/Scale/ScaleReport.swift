/// What became of a world of `ScaleSimulation`, and what its coordinator cost.
public struct ScaleReport: Sendable {
    /// The cluster's workers.
    public let workers: Int

    /// Its streams.
    public let streams: Int

    /// What became of the world.
    public let world: WorldReport

    /// How long the world took, its checkers included.
    public let realTime: Duration

    /// Streams that ended as their requests say.
    public let completed: Int

    /// Streams that failed: lost three times at the same place.
    public let failed: Int

    /// The most streams that ran at once.
    public let concurrent: Int

    /// Streams that ran on the workers that died in the storm.
    public let lost: Int

    /// Attempts that were lost and went on elsewhere.
    public let failovers: Int

    /// What the machine's methods took, all together.
    public let machineTime: Duration

    /// The coordinator's turns.
    public let turns: Int

    /// What the machine's part of the longest turn took.
    public let longestTurn: Duration

    /// Messages of workers and clients.
    public let messages: Int

    /// The times of leases in nanoseconds: `turnEnded` of each turn that leases, divided by its leases.
    public let dispatch: Cost

    /// The same, of turns after the storm.
    public let stormDispatch: Cost

    /// The times of choices in nanoseconds: of a worker for a stream that waits because of the storm, each timed alone.
    public let placement: Cost

    /// From the storm until every lost stream was leased to a living worker or had ended; `nil` where that never came.
    public let releasedAfter: Duration?

    /// From the storm until every lost stream had ended.
    public let endedAfter: Duration?

    /// Many measured times in nanoseconds.
    public struct Cost: Sendable {
        /// How many.
        public let count: Int

        /// Their mean.
        public let mean: Double

        /// What 99 of 100 don't exceed.
        public let p99: Double

        init(_ sample: TimeSample) {
            count = sample.count
            mean = sample.mean
            p99 = sample.p99
        }
    }
}
