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

    /// The model that the stream is bound to; `nil` while no worker ever registered and the request names none.
    var model: ModelName?

    /// The place of the worker that runs it; `nil` while it waits and when it has ended.
    var worker: Int?

    /// How it ended; set once and for ever.
    var end: StreamEnd?

    /// The last attempt's number; 0 before the first.
    var epoch: Epoch = .none

    /// The index of the next token to accept: so many are accepted.
    var next = 0

    /// The index up to which the worker may compute.
    var workerLimit = 0

    var consumers: [Consumer] = []

    /// Since when it is known to wait for its consumers' credit.
    var pausedSince: Timestamp?

    /// Whether it gave its slot to others while it waits for credit.
    var isParked = false

    /// The neighbours among the streams of the same worker; places in the ledger.
    var previousLease: Int?
    var nextLease: Int?

    /// Attempts in a row that ended with their worker and brought no token.
    var barren = 0

    /// What the present attempt started from, to tell whether it brought a token.
    var attemptStart = 0

    var continuity: Continuity = .exact

    /// The fingerprint that computed the tokens so far.
    var fingerprint: Fingerprint?

    /// The fingerprint of the present attempt's worker.
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
        deadline: .zero
    )

    /// A prompt's digest (FNV-1a), by which a repeated submit is known after the prompt itself is dropped.
    static func digest(_ prompt: String) -> UInt64 {
        var digest: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in prompt.utf8 { digest = (digest ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        return digest
    }

    var isQueued: Bool { worker == nil && end == nil && !isParked }
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

    /// Takes the tokens of a row that come next.
    mutating func accept(_ count: Int, at first: Int, epoch: Epoch, worker: Int) -> Verdict {
        guard self.epoch == epoch, self.worker == worker else { return .stale }
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
