/// The numbers that the coordinator's decisions depend on.
public struct CoordinatorSettings: Hashable, Sendable {
    /// A worker that sends nothing for so long is lost.
    ///
    /// Workers beat every 100 ms, so several beats may be late.
    public var beatTimeout: Duration = .milliseconds(500)

    /// A busy worker whose progress stands still for so long beyond its own expected step time hangs.
    public var hangGrace: Duration = .seconds(1)

    /// How often time is looked at.
    public var tickInterval: Duration = .milliseconds(25)

    /// A tick that is later than this means that the coordinator itself stood still; every deadline of a peer moves by as much.
    public var lagTolerance: Duration = .milliseconds(75)

    /// The deadline of jobs that name none.
    public var defaultDeadline: Duration = .seconds(600)

    /// What may wait for a slot; more is rejected.
    public var admission = AdmissionLimits()

    /// The weight of a client's share of the workers, by the client's name; 1 for those that are not named.
    public var shares: [String: Int] = [:]

    /// Which worker gets a stream.
    public var placement = PlacementPolicy.predictedFirstToken

    /// Bytes that the prompts, constraints and biases of unfinished streams may take, all together.
    public var promptBytes = 512 << 20

    /// The longest deadline of a job; a longer one is cut.
    public var longestDeadline: Duration = .seconds(86_400)

    /// What a client is told to wait that follows too much at a time.
    public var retryAfter: Duration = .seconds(1)

    /// Attempts in a row that are lost at about the same index; then the job is given up as the likely cause.
    public var lossLimit = 3

    /// A stream that has come so many tokens further since its last loss was not its cause.
    ///
    /// More than one, because the last tokens before a worker's death may be lost on the way, each time others.
    public var lossWindow = 8

    /// After a restart, how long streams wait for the workers that ran them.
    public var recoveryGrace: Duration = .seconds(2)

    /// Tokens that a worker may have sent or computed beyond the last acknowledgement, per stream.
    public var workerWindow = 512

    /// How long a stream may wait for its consumers' credit in a slot that other streams wait for.
    public var pauseTolerance: Duration = .milliseconds(250)

    /// Streams that one client may follow at a time.
    public var streamsPerClient = 50_000

    /// Clients that may be connected.
    public var clientLimit = 10_000

    /// Clients that may follow one stream at a time.
    public var consumersPerStream = 16

    /// Ended streams that are kept for late readers, those of the oldest job forgotten first.
    public var retainedStreams = 20_000

    /// Tokens of ended streams that are kept, all together.
    public var retainedTokens = 8_000_000

    /// How long a worker that is gone is still shown.
    public var workerRetention: Duration = .seconds(600)

    /// How many workers that are gone are still shown.
    public var goneWorkers = 64

    /// Tokens of the journal that one client is sent in a turn; more come in the next ones.
    public var replayTokens = 262_144

    /// How long an ended stream is kept.
    public var retention: Duration = .seconds(3_600)

    /// The same for a stream that is in no journal, where others are found again in theirs.
    public var volatileRetention: Duration = .seconds(3_600)

    /// Whether the journal keeps what ended and finds it again: then the bounds above say what stays in memory, and the journal
    /// says when it is forgotten.
    public var recallsEnded = false

    /// The number of the first stream; a coordinator that remembers nothing begins anywhere, so that no client takes a new
    /// stream for one of a former life.
    public var firstStream: UInt64 = 1

    /// Makes job names unguessable: random for each coordinator.
    public var secret: UInt64

    /// Takes the defaults.
    public init(secret: UInt64) {
        self.secret = secret
    }
}
