public import ApusModel

/// A worker under a load that changes, for comparing how batches are chosen.
///
/// The load comes in bursts with calm between them, streams have short and long prompts, so that the context of a step
/// grows and shrinks, and for a part of the time the whole machine is slower. A step takes what the linear model says
/// and a little more or less; one in two hundred takes eight times as long, as where the process was descheduled. Time
/// is virtual; a seed is one run.
public struct BatchScenario: Sendable {
    /// The time between two tokens that is to be kept.
    public var target: Duration = .milliseconds(60)

    /// The bounds of the batch.
    public var batch = 1...48

    /// Milliseconds of a step without rows, for each row, for each 1,024 tokens of the rows' context, and for each
    /// token of prefill.
    public var stepCost = (base: 6.0, row: 1.6, context: 0.7, prefill: 0.12)

    /// Tokens of prefill that a step takes at most, where the target leaves time for them; of one chunk always.
    public var prefillBudget = 128

    /// Tokens of a chunk of prefill.
    public var prefillChunk = 16

    /// How long the load lasts; what has come by then is served to its end.
    public var length: Duration = .seconds(240)

    /// Mean streams a second within a burst, and between bursts.
    public var arrivals = (burst: 6.0, calm: 0.3)

    /// The length of a burst, and of the calm after it, in seconds.
    public var phases = (burst: 4.0, calm: 16.0)

    /// When the machine is slower, as parts of `length`, and by what factor.
    public var slowness = (from: 0.45, to: 0.55, factor: 3.0)

    /// The range of prompts and outputs in tokens; every number in them is as likely as its logarithm's neighbours.
    public var tokens = (prompts: 16...512, outputs: 32...512)

    /// The share of steps that take eight times as long.
    public var hiccups = 0.005

    /// The scenario as compared in the documentation.
    public init() {}

    /// Runs the scenario with one policy.
    ///
    /// - Parameters:
    ///   - policy: How the batch is chosen.
    ///   - seed: Determines the load, which is the same for all policies, and the noise.
    /// - Returns: What its streams saw.
    public func run(_ policy: BatchPolicy, seed: UInt64) -> BatchOutcome {
        var run = BatchRun(self, policy: policy, seed: seed)
        return run.run()
    }

    /// Runs the scenario with every policy.
    ///
    /// - Parameter seeds: One or more.
    /// - Returns: Each policy's name, and the means over its runs.
    public func compared(seeds: [UInt64]) -> [(policy: String, mean: BatchOutcome)] {
        BatchPolicy.allCases.map { ($0.rawValue, mean($0, seeds: seeds)) }
    }

    /// The mean of runs with several seeds.
    ///
    /// - Parameters:
    ///   - policy: How the batch is chosen.
    ///   - seeds: One or more.
    /// - Returns: The mean of each quantity.
    public func mean(_ policy: BatchPolicy, seeds: [UInt64]) -> BatchOutcome {
        .mean(of: seeds.map { run(policy, seed: $0) })
    }
}
