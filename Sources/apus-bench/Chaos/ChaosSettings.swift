import ApusModel
import Foundation

/// What a chaos run does, and for how long.
struct ChaosSettings: Sendable {
    /// What the workers compute with.
    enum Engine: Sendable {
        /// No model; a step takes so many microseconds.
        case simulated(stepMicroseconds: Int)
        /// A model's file.
        case llama(model: String)
    }

    /// Rounds, unless the time is over before.
    var rounds = 500

    /// After this no further round begins.
    var limit = Duration.seconds(1_800)

    /// What every choice is drawn from.
    var seed: UInt64

    /// The workers' engine.
    var engine = Engine.simulated(stepMicroseconds: 3_000)

    /// Workers.
    var workers = 3

    /// Streams that clients of this process run beside each other, one a lane.
    var lanes = 14

    /// Clients that are processes of their own.
    var commands = 3

    /// What is done to the cluster; those that kill the coordinator need a durable one.
    var upsets = Upset.allCases

    /// What the jobs' durability is drawn from.
    var durabilities: [Durability] = [.released]

    /// The folder of the coordinator's journal; `nil` keeps it in memory.
    var data: String?

    /// How long a stream may stand still with everything up.
    var patience = Duration.seconds(20)

    /// A durability as the command line names it: one of them, or `mixed`.
    static func durabilities(_ name: String) -> [Durability]? {
        if name == "mixed" { return [.released, .released, .released, .released, .accepted, .none] }
        return Durability(rawValue: name).map { [$0] }
    }
}
