import ApusCore

/// Runs simulated clusters of any size through a storm, all checkers on.
public enum ScaleSimulation {
    /// Runs a world and measures its coordinator.
    ///
    /// Isolation: none; it blocks until the world has ended.
    ///
    /// - Parameters:
    ///   - world: The world.
    ///   - clock: What the coordinator's times are taken from: the time that the thread has computed, so that other work on the
    ///     same core counts little.
    /// - Returns: What became of it.
    public static func run(_ world: ScaleWorld, clock: @escaping () -> Duration) -> ScaleReport {
        let configuration = world.configuration()
        let probe = ScaleProbe(configuration: configuration, clock: clock)
        let began = ContinuousClock.now
        var simulation = World(configuration, probe: probe)
        let report = simulation.run()
        let realTime = ContinuousClock.now - began
        let counters = simulation.coordinator.machine.counters
        let since = { (moment: Int64?) -> Duration? in
            guard let moment, let storm = probe.stormAt else { return nil }
            return .nanoseconds(moment - storm)
        }
        return ScaleReport(
            workers: world.workers,
            streams: world.streams,
            world: report,
            realTime: realTime,
            completed: Int(counters.completed),
            failed: Int(counters.failed),
            concurrent: probe.peak,
            lost: probe.lost,
            failovers: Int(counters.failovers),
            machineTime: probe.machineTime,
            turns: probe.turns,
            longestTurn: probe.longestTurn,
            messages: probe.messages,
            dispatch: ScaleReport.Cost(probe.dispatches),
            stormDispatch: ScaleReport.Cost(probe.stormDispatches),
            placement: ScaleReport.Cost(probe.placements),
            releasedAfter: since(probe.leasedAt),
            endedAfter: since(probe.endedAt)
        )
    }
}
