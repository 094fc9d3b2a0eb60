import ApusModel

/// A second attempt of a stream whose first one is slow; the first of the two that brings the next token goes on.
struct Hedge: Sendable {
    /// The place of its worker.
    let worker: Int

    let epoch: Epoch

    /// What its worker computes with.
    let fingerprint: Fingerprint

    /// Whether its tokens equal those of the slow attempt, so that it may catch up with what the other has sent meanwhile.
    let isEqual: Bool

    let exactness: ExactnessClass

    /// The index of the stream's next token when it began.
    let start: Int

    /// The index after the last token that it sent.
    var next: Int

    /// Tokens that its worker computes before its first token, as long as that has not come.
    var pendingPrefill: Int

    /// The context that the stream is bound to when it goes on.
    let contextTokens: Int
}
