import ApusModel

/// All that the coordinator knows of a stream except its tokens, which the journal holds.
struct StreamEntry: Sendable {
    /// Where a stream stands; `ended` is for ever.
    enum Phase: Sendable {
        /// Waits for a slot.
        case queued
        /// Runs on the worker at this place of the membership.
        case leased(worker: Int)
        /// Over.
        case ended(StreamEnd)
    }

    let id: StreamID
    let job: JobID
    let key: String
    let request: GenerationRequest
    let choseSeed: Bool
    let acceptedAt: Timestamp
    let deadline: Timestamp

    /// The model that the stream is bound to; `nil` while no worker ever registered and the request names none.
    var model: ModelName?

    var phase: Phase = .queued

    /// The last attempt's number; 0 before the first.
    var epoch: Epoch = .none

    /// The index of the next token to accept: so many are accepted.
    var next = 0

    /// The index up to which the worker may compute.
    var workerLimit = 0

    var consumers: [Consumer] = []

    /// The neighbours among the streams of the same worker; places in the ledger.
    var previousLease: Int?
    var nextLease: Int?

    /// Attempts in a row that ended with their worker and brought no token.
    var barren = 0

    /// What the present attempt started from, to tell whether it brought a token.
    var attemptStart = 0

    /// Why the last attempt was lost.
    var lastCause: String?

    var continuity: Continuity = .exact

    /// The fingerprint that computed the tokens so far.
    var fingerprint: Fingerprint?

    var promptTokens = 0
    var dispatchedAt: Timestamp?
    var firstTokenAt: Timestamp?
    var endedAt: Timestamp?

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

    var isQueued: Bool { if case .queued = phase { true } else { false } }

    var end: StreamEnd? { if case .ended(let end) = phase { end } else { nil } }
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
