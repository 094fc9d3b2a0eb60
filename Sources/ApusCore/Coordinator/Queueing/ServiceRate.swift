import ApusModel

/// Tokens that the cluster serves in a second: a moving average over windows of a second or more.
struct ServiceRate: Sendable {
    /// A window closes with the first tokens that come so long after its begin.
    private static let window: Int64 = 1_000

    /// A window that is longer had nothing to do, or nobody to do it, and says nothing about the rate.
    private static let longestWindow: Int64 = 5_000

    /// Tokens a second; `nil` before the first window has closed.
    private(set) var tokensPerSecond: Int?

    private var begin: Timestamp?
    private var tokens = 0

    /// Nothing is measured.
    init() {}

    /// Notes tokens that were served, of prompts and of outputs; the first call only begins to measure.
    ///
    /// - Parameters:
    ///   - tokens: Their number.
    ///   - now: The present moment; one that isn't later than the last one only adds to the window.
    mutating func served(tokens: Int, at now: Timestamp) {
        guard let begin else {
            self.begin = now
            return
        }
        self.tokens += tokens
        let elapsed = (now - begin).nanoseconds / 1_000_000
        guard elapsed >= Self.window else { return }
        if elapsed <= Self.longestWindow {
            let sample = self.tokens * 1_000 / Int(elapsed)
            tokensPerSecond = tokensPerSecond.map { $0 + (sample - $0) / 4 } ?? sample
        }
        self.begin = now
        self.tokens = 0
    }

    /// How long some work takes; `nil` while the rate is unknown or nothing was served.
    func duration(of work: Int) -> Duration? {
        guard let tokensPerSecond, tokensPerSecond > 0 else { return nil }
        return .milliseconds(work / tokensPerSecond * 1_000 + work % tokensPerSecond * 1_000 / tokensPerSecond)
    }
}
