package import ApusModel

extension Apus_V1_FirstToken {
    /// The wire form of a first token's stages; stream and epoch are the caller's.
    package init(_ stages: FirstTokenStages) {
        self.init()
        tokenizeUs = stages.tokenize.wireMicroseconds
        dispatchUs = stages.dispatch.wireMicroseconds
        prefillUs = stages.prefill.wireMicroseconds
        sampleUs = stages.sample.wireMicroseconds
        promptTokens = UInt64(clamping: stages.promptTokens)
        cachedTokens = UInt64(clamping: stages.cachedTokens)
    }
}

extension FirstTokenStages {
    /// The stages that a peer sent.
    package init(_ wire: Apus_V1_FirstToken) {
        self.init(
            tokenize: Duration(wireMicroseconds: wire.tokenizeUs),
            dispatch: Duration(wireMicroseconds: wire.dispatchUs),
            prefill: Duration(wireMicroseconds: wire.prefillUs),
            sample: Duration(wireMicroseconds: wire.sampleUs),
            promptTokens: Int(clamping: wire.promptTokens),
            cachedTokens: Int(clamping: wire.cachedTokens)
        )
    }
}

extension Apus_V1_Summary {
    /// The wire form of a session's summary.
    package init(_ summary: SessionSummary) {
        self.init()
        tokens = UInt64(clamping: summary.tokens)
        meanTokenUs = summary.meanTokenTime.wireMicroseconds
        p95TokenUs = summary.p95TokenTime.wireMicroseconds
        peakMemoryBytes = summary.peakMemoryBytes
        errors = UInt32(clamping: summary.errors)
        recovered = UInt32(clamping: summary.recovered)
        batchSize = UInt32(clamping: summary.batchSize)
        drafted = UInt64(clamping: summary.draftedTokens)
        accepted = UInt64(clamping: summary.acceptedTokens)
        cachedTokens = UInt64(clamping: summary.cachedTokens)
    }
}

extension SessionSummary {
    /// The summary that a peer sent.
    package init(_ wire: Apus_V1_Summary) {
        self.init(
            tokens: Int(clamping: wire.tokens),
            meanTokenTime: Duration(wireMicroseconds: wire.meanTokenUs),
            p95TokenTime: Duration(wireMicroseconds: wire.p95TokenUs),
            peakMemoryBytes: wire.peakMemoryBytes,
            errors: Int(wire.errors),
            recovered: Int(wire.recovered),
            batchSize: Int(wire.batchSize),
            draftedTokens: Int(clamping: wire.drafted),
            acceptedTokens: Int(clamping: wire.accepted),
            cachedTokens: Int(clamping: wire.cachedTokens)
        )
    }
}
