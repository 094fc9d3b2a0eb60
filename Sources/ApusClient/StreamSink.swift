import ApusModel

/// The consumer's end of a stream inside the client; every public form of consuming sits on it.
///
/// Isolation: called on the connection's thread, in order: `accepted` at most once, then batches, then one end or failure.
/// Nothing may block.
protocol StreamSink: AnyObject, Sendable {
    /// The coordinator accepted the job, or the attachment to it.
    func accepted(_ job: AcceptedJob)

    /// The next tokens arrived.
    ///
    /// - Returns: The index up to which the consumer has consumed, for credit.
    func deliver(_ batch: TokenBatch) -> Int

    /// The stream ended.
    func finished(_ end: StreamEnd)

    /// The client can't follow the stream, or it was never accepted.
    func failed(_ error: ApusError)
}
