import ApusModel

/// What a stream's end says about its session, in figures.
struct SessionFigures: Hashable {
    /// The mean rate between the first token and the last; `nil` for less than two tokens.
    let tokensPerSecond: Double?

    /// All tokens over the time from acceptance to the end; `nil` for no tokens.
    let endToEndTokensPerSecond: Double?

    /// What went wrong, by generated token; `nil` where nobody counted.
    let errorRate: Double?

    /// Reads an end.
    init(_ end: StreamEnd) {
        let tokens = end.usage.completionTokens
        let total = end.timings.total
        let generating = end.timings.firstToken.map { total - $0 }
        if let mean = end.summary?.meanTokenTime, mean > .zero {
            tokensPerSecond = 1 / mean.inSeconds
        } else if let generating, tokens > 1, generating > .zero {
            tokensPerSecond = Double(tokens - 1) / generating.inSeconds
        } else {
            tokensPerSecond = nil
        }
        endToEndTokensPerSecond = tokens > 0 && total > .zero ? Double(tokens) / total.inSeconds : nil
        errorRate = end.summary.map { Double($0.errors) / Double(max(1, tokens)) }
    }
}
