/// A stream's session as its last worker saw it.
public struct SessionSummary: Hashable, Sendable {
    /// Tokens of the last attempt; `meanTokenTime` and `p95TokenTime` are about these.
    public var tokens: Int

    /// Mean time between two tokens.
    public var meanTokenTime: Duration

    /// The time that 95 of 100 tokens took at most.
    public var p95TokenTime: Duration

    /// The most memory that the worker's process held meanwhile.
    public var peakMemoryBytes: UInt64

    /// What went wrong: failed passes at the worker, and lost workers.
    public var errors: Int

    /// Of these, how many the stream outlived.
    public var recovered: Int

    /// The most common number of streams in the steps that moved this one.
    public var batchSize: Int

    /// Tokens that speculation proposed.
    public var draftedTokens: Int

    /// Of these, confirmed by the model.
    public var acceptedTokens: Int

    /// Prompt tokens that were found computed.
    public var cachedTokens: Int

    /// Describes a session.
    public init(
        tokens: Int = 0,
        meanTokenTime: Duration = .zero,
        p95TokenTime: Duration = .zero,
        peakMemoryBytes: UInt64 = 0,
        errors: Int = 0,
        recovered: Int = 0,
        batchSize: Int = 0,
        draftedTokens: Int = 0,
        acceptedTokens: Int = 0,
        cachedTokens: Int = 0
    ) {
        self.tokens = tokens
        self.meanTokenTime = meanTokenTime
        self.p95TokenTime = p95TokenTime
        self.peakMemoryBytes = peakMemoryBytes
        self.errors = errors
        self.recovered = recovered
        self.batchSize = batchSize
        self.draftedTokens = draftedTokens
        self.acceptedTokens = acceptedTokens
        self.cachedTokens = cachedTokens
    }
}
