import ApusModel

/// All that the coordinator knows of a stream except its tokens, which the journal holds.
struct StreamEntry: Sendable {
    let id: StreamID
    let job: JobID

    /// Which of the job's streams it is, from 0, and how many they are; their numbers are consecutive.
    var choice: UInt8 = 0
    var choices: UInt8 = 1

    /// In the entry of a job's first stream: how many of its streams have not ended.
    var unended: UInt8 = 1

    let key: String

    /// The stream's own request, of a single choice; without its large parts once the stream has ended.
    var request: GenerationRequest
    var bulkDigest: UInt64 = 0
    let choseSeed: Bool
    let acceptedAt: Timestamp
    let deadline: Timestamp

    /// The name of the client that submitted it.
    let clientName: String

    /// Whose share of the workers is charged.
    let client: ClientKey

    /// The weight of that share.
    let weight: Int

    /// Token work as expected at acceptance: what the stream is queued and charged with.
    var work = 0

    /// Whether its client's share is charged with `work`, to be settled with what it really was.
    var isCharged = false

    /// Where it stands; `ended` once and for ever.
    var phase = Phase.unbound

    /// The place of its model in the model table; `nil` as long as no worker serves it.
    var model: Int?

    /// The place of the worker whose tokens count; only while `running`.
    var worker: Int?

    private var boxedEnd: Boxed<StreamEnd>?

    /// How it ended; set once and for ever.
    var end: StreamEnd? {
        get { boxedEnd?.value }
        set { boxedEnd = newValue.map(Boxed.init) }
    }

    /// Whether it ended, without looking at how.
    @inline(__always)
    var hasEnded: Bool { if case .some = boxedEnd { true } else { false } }

    private var boxedStages: Boxed<FirstTokenStages>?

    /// Where the time to its first token went, as the worker said that brought it.
    var stages: FirstTokenStages? {
        get { boxedStages?.value }
        set { boxedStages = newValue.map(Boxed.init) }
    }

    /// The last attempt's number; 0 before the first.
    var epoch: Epoch = .none

    /// The number of the attempt whose tokens count: the last one's, or an earlier one's beside which a hedge runs.
    var accepting: Epoch = .none

    /// Whether a hedge runs beside the attempt whose tokens count.
    var isHedged = false

    /// The index of the next token to accept: so many are accepted.
    var next = 0

    /// The index up to which the worker may compute.
    var workerLimit = 0

    var consumers: [Consumer] = []

    /// Since when it is known to wait for its consumers' credit.
    var pausedSince: Timestamp?

    /// Whether it is among the machine's `paused`, paused still or not.
    var isListedAsPaused = false

    /// The neighbours among the streams of the same worker; places in the ledger.
    var previousLease: Int?
    var nextLease: Int?

    /// Attempts in a row that were lost at about the same index.
    var losses = 0

    /// Of these, how many of the last ones the engine failed at, and nobody died.
    var failures: UInt8 = 0

    /// Whether the last attempt was refused by its worker for lack of room, and nothing has come since.
    var isRefused = false

    /// Attempts that were lost, wherever, and how many of them the stream outlived: another one went on.
    var lost: UInt32 = 0
    var outlived: UInt32 = 0

    /// Whether a coordinator's death took its tokens, so that it is computed again from the first.
    var isDerivedAgain = false

    /// Where the last attempt was lost.
    var lossIndex = 0

    /// When the attempt was lost after which it is held back.
    var lostAt = Timestamp.zero

    /// The process with whose connection the last attempt was lost, and nothing else: it may still run it, and bring it back.
    var recoverableFrom: Incarnation?

    /// The worker that should not get it next, because it just failed at it.
    var avoided: Int?

    /// What the present attempt started from, to tell whether it brought a token.
    var attemptStart = 0

    /// Tokens that the present attempt's worker computes before its first token, as long as that has not come.
    var pendingPrefill = 0

    var continuity: Continuity = .exact

    /// The fingerprint that computed the tokens so far.
    var fingerprint: Fingerprint?

    /// The fingerprint of the attempt whose tokens count.
    var leaseFingerprint: Fingerprint?

    /// The context that a worker must have: what the stream began with, or what its prompt needs.
    ///
    /// A stream ends where the context is full, so that another context could be another output.
    var contextTokens = 0

    var promptTokens = 0
    var dispatchedAt: Timestamp?
    var firstTokenAt: Timestamp?

    /// What stands at a vacant place of the ledger.
    static let vacant = StreamEntry(
        AcceptedRecord(
            job: JobID(rawValue: 0),
            stream: StreamID(rawValue: 0),
            key: "",
            client: "",
            request: GenerationRequest(prompt: ""),
            choseSeed: false,
            acceptedAt: .zero
        ),
        choice: 0,
        deadline: .zero,
        weight: 1
    )

    /// A stream of a job that nobody follows and that waits nowhere yet.
    init(_ record: AcceptedRecord, choice: Int, deadline: Timestamp, weight: Int) {
        id = StreamID(rawValue: record.stream.rawValue + UInt64(choice))
        job = record.job
        key = record.key
        request = record.request.choice(choice)
        choseSeed = record.choseSeed
        acceptedAt = record.acceptedAt
        self.deadline = deadline
        clientName = record.client
        client = ClientKey(name: record.client)
        self.weight = weight
        self.choice = UInt8(clamping: choice)
        choices = UInt8(clamping: record.request.choices)
        unended = choices
    }

    /// The last index from which it may be followed: what comes next, or any index where clients may have had more than there is
    /// now.
    var furthestStart: Int {
        let mayHaveHadMore = isDerivedAgain || hasEnded && request.durability == .accepted
        return mayHaveHadMore ? max(next, request.maximumTokens) : next
    }

    /// The first stream of its job.
    var firstStream: StreamID { StreamID(rawValue: id.rawValue - UInt64(choice)) }

    /// What the line of its model knows it by while it waits there.
    var waiting: WaitingStream {
        WaitingStream(
            stream: id,
            client: client,
            priority: request.priority,
            deadline: deadline,
            work: work,
            weight: weight,
            isFailover: epoch > .none
        )
    }

    /// The tokens that a worker has to compute before the next one, as far as the coordinator can tell.
    var prefillEstimate: Int {
        (promptTokens > 0 ? promptTokens : TokenWork.promptTokens(bytes: request.promptBytes)) + next
    }
}

extension StreamEntry {
    /// Where a stream stands.
    enum Phase: UInt8, Sendable {
        /// Waits for the first worker of its model, or of any.
        case unbound
        /// Waits in the line of its model.
        case queued
        /// Waits after several losses: until silent workers are known, and for the retry budget.
        case delayed
        /// After a restart: waits for the worker that ran it to register again.
        case awaited
        /// Gave its slot to others while it waits for its consumers' credit.
        case parked
        /// Leased to a worker.
        case running
        /// Over.
        case ended

        /// Whether it waits for a slot, whatever it is that keeps it from one.
        var isWaiting: Bool { self.rawValue <= Phase.awaited.rawValue }
    }
}

extension StreamEntry {
    /// What becomes of a row.
    enum Verdict {
        /// It belongs to a fenced attempt.
        case stale
        /// It leaves a gap, or goes past the stream's end: the attempt can't be trusted any more.
        case broken
        /// All but its first `skip` tokens are new; `isFirst` where they are the stream's first.
        case taken(skip: Int, isFirst: Bool)
    }

    /// What an attempt on a worker of this kind does to the stream's continuity.
    func continuity(
        onFingerprint other: Fingerprint,
        exactness: ExactnessClass,
        contextTokens otherContext: Int
    ) -> Continuity {
        let isEqual = fingerprint == other && exactness == .exact && contextTokens <= otherContext
        // Clients may have any number of tokens of before: the same ones come again, or the rest belongs to another run.
        if isDerivedAgain { return isEqual ? .exact : .none }
        if next == 0 { return .restart }
        return isEqual ? .exact : .consistent
    }

    /// Whether an engine failed at about the index where the stream is.
    func hasFailed(within window: Int) -> Bool { failures > 0 && losses > 0 && next - lossIndex < window }

    /// Counts an attempt that was lost.
    mutating func countLoss(window: Int) {
        let isRepeated = losses > 0 && next - lossIndex < window
        losses = isRepeated ? losses + 1 : 1
        if !isRepeated { failures = 0 }
        lossIndex = next
        lost += 1
    }

    /// Takes the tokens of a row that come next.
    mutating func accept(_ count: Int, at first: Int, epoch: Epoch, worker: Int) -> Verdict {
        guard accepting == epoch, self.worker == worker else { return .stale }
        let skip = next - first
        if skip < 0 || (skip < count && first + count > request.maximumTokens) { return .broken }
        guard skip < count else { return .taken(skip: count, isFirst: false) }
        let isFirst = next == 0
        next = first + count
        isRefused = false
        return .taken(skip: skip, isFirst: isFirst)
    }
}

/// A client that follows a stream.
struct Consumer: Hashable, Sendable {
    /// The client's place in the client table.
    let client: Int

    /// The index of the next token to send to it.
    var cursor: Int

    /// The index up to which it takes tokens.
    var limit: Int

    /// Whether its acceptance is sent.
    ///
    /// Until then it gets tokens only from the journal, when the turn ends: tokens that are passed on directly go out before
    /// the answers of the turn.
    var isSettled = false
}
