/// Runs simulated clusters.
public enum Simulation {
    /// Runs the world of a seed.
    ///
    /// Isolation: none; worlds share nothing and may run beside each other.
    ///
    /// - Parameters:
    ///   - seed: The seed.
    ///   - swarm: What worlds are drawn from.
    /// - Returns: What became of it.
    public static func run(seed: UInt64, of swarm: Swarm) -> WorldReport {
        var world = World(swarm.configuration(of: seed))
        return world.run()
    }

    /// Runs the world of a seed and writes its story.
    ///
    /// - Parameters:
    ///   - seed: The seed.
    ///   - swarm: What worlds are drawn from.
    /// - Returns: What became of it, and a legend with one line an event.
    public static func trace(seed: UInt64, of swarm: Swarm) -> (report: WorldReport, lines: [String]) {
        let trace = Trace()
        var world = World(swarm.configuration(of: seed), trace: trace)
        let report = world.run()
        return (report, Trace.legend + trace.lines)
    }
}
