import ApusModel

/// All that the coordinator knows of a stream except its tokens, which the journal holds.
struct StreamEntry: Sendable {
    let id: StreamID
    let job: JobID
    let key: String

    /// The request; without its prompt once the stream has ended.
    var request: GenerationRequest
    var promptDigest: UInt64 = 0
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

    /// How it ended; set once and for ever.
    var end: StreamEnd?

    /// Whether it ended, without looking at how.
    @inline(__always)
    var hasEnded: Bool { if case .some = end { true } else { false } }

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
        id: StreamID(rawValue: 0),
        job: JobID(rawValue: 0),
        key: "",
        request: GenerationRequest(prompt: ""),
        choseSeed: false,
        acceptedAt: .zero,
        deadline: .zero,
        clientName: "",
        client: ClientKey(name: ""),
        weight: 1
    )

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
        (promptTokens > 0 ? promptTokens : TokenWork.promptTokens(bytes: request.prompt.utf8.count)) + next
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
        if next == 0 { return .restart }
        let isEqual = fingerprint == other && exactness == .exact && contextTokens <= otherContext
        return isEqual ? .exact : .consistent
    }

    /// Counts an attempt that was lost.
    mutating func countLoss(window: Int) {
        losses = losses > 0 && next - lossIndex < window ? losses + 1 : 1
        lossIndex = next
    }

    /// Takes the tokens of a row that come next.
    mutating func accept(_ count: Int, at first: Int, epoch: Epoch, worker: Int) -> Verdict {
        guard accepting == epoch, self.worker == worker else { return .stale }
        let skip = next - first
        if skip < 0 || (skip < count && first + count > request.maximumTokens) { return .broken }
        guard skip < count else { return .taken(skip: count, isFirst: false) }
        let isFirst = next == 0
        next = first + count
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
