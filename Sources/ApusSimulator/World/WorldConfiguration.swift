import ApusCore
import ApusModel

/// All that distinguishes one world from another before it begins.
struct WorldConfiguration: Sendable {
    /// Every draw of the world follows from it.
    var seed: UInt64

    /// The settings of every coordinator of the world.
    var settings = CoordinatorSettings(secret: 0x5eed)

    /// The workers' hosts, each with one process at a time.
    var workers: [WorkerSpec] = []

    /// The clients' hosts, each with one process at a time.
    var clients: [ClientSpec] = []

    /// The jobs, in the order of their places.
    var jobs: [JobSpec] = []

    /// What goes wrong, and how often.
    var faults = FaultMix()

    /// How long faults are injected, in nanoseconds; then everything is made whole.
    var faultTime: Int64 = 0

    /// How long after the faults everything accepted may take to end, in nanoseconds.
    var settleTime: Int64 = 60_000_000_000

    /// The time of a message on its way, in nanoseconds.
    var networkDelay: ClosedRange<Int64> = 50_000...500_000

    /// The time of a coordinator's turn, in nanoseconds.
    var turnTime: ClosedRange<Int64> = 20_000...200_000

    /// How long the journal keeps what ended, where jobs are recalled.
    var journalRetention = Duration.seconds(3_600)

    /// Jobs that have not ended by which the journal is full.
    var journalJobs = Int.max

    /// What happens at given points, in worlds that a test directs.
    var script: [ScriptedAction] = []
}

/// A worker's host.
struct WorkerSpec: Sendable {
    var name: WorkerName
    var model: ModelName
    var slots: Int
    var contextTokens = 1 << 17
    var fingerprint: Fingerprint
    var exactness = ExactnessClass.exact

    /// The time of a step without streams, in nanoseconds.
    var stepTime: Int64

    /// What each stream adds to a step, in nanoseconds.
    var streamTime: Int64

    /// The time to compute a token of a prompt or a history, in nanoseconds.
    var prefillTime: Int64

    /// The most tokens of a stream that one step makes.
    var burst: Int

    /// Blocks of prompts whose state the worker keeps; 0 for one that reports none.
    var cachedBlocks = 0

    /// Tokens of prompts and histories that one step computes beside the decoding, all streams together.
    var prefillBudget = Int.max
}

/// A client's host.
struct ClientSpec: Sendable {
    /// The name that it says; several clients may share one.
    var name: String

    /// The tokens by which a stream may run ahead of it.
    var window: Int
}

/// How often each kind of fault happens.
struct FaultMix: Sendable {
    /// The share of each kind among the faults, by its place in `Fault.allCases`; all 0 for a world without faults.
    var weights = [Int](repeating: 0, count: Fault.allCases.count)

    /// The mean time between two faults, in nanoseconds.
    var meanInterval: Int64 = 200_000_000
}
