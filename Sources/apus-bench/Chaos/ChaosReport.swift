import ApusClient

/// What a chaos run did, and what came of it.
struct ChaosReport: Sendable {
    /// Rounds that were run.
    var rounds = 0

    /// What was done, how often.
    var upsets: [Upset: Int] = [:]

    /// Milliseconds from a coordinator's start to its `READY` line.
    var starts: [Double] = []

    /// What the readers were given.
    var totals = ChaosLedger.Totals()

    /// Jobs that were accepted and never ended.
    var lost = 0

    /// The cluster after the last stream's end; `nil` where it did not come so far.
    var status: ClusterStatus?

    /// What broke a promise.
    var violations: [String] { totals.violations }
}
