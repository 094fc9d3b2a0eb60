import ApusModel

/// How many tokens a model's completions have: a moving average of those that have ended.
///
/// Requests name a maximum that few of them reach; to queue by it would refuse work that fits.
struct OutputEstimate: Sendable {
    /// A completion moves the average by 1/2^shift of its distance.
    private static let shift = 4

    /// Units of a token in the average.
    private static let scale = 1_024

    /// The average in 1/`scale` of a token; `nil` before the first completion.
    private var mean: Int?

    /// Nothing is learned.
    init() {}

    /// The tokens to expect of a request; its maximum before anything is learned.
    func expected(maximumTokens: Int) -> Int {
        guard let mean else { return maximumTokens }
        return min(maximumTokens, max(1, (mean + Self.scale / 2) / Self.scale))
    }

    /// Notes a completion that ended as its request says.
    ///
    /// One that its maximum cut off tells only that it would have been longer; where the average is above the maximum
    /// already, that is nothing new.
    ///
    /// - Parameters:
    ///   - actual: Its tokens.
    ///   - maximum: The most that its request allowed.
    mutating func learned(actual: Int, maximum: Int) {
        let sample = min(max(actual, 0), Limits.maximumTokens) * Self.scale
        guard let mean else {
            self.mean = sample
            return
        }
        guard actual < maximum || sample > mean else { return }
        let step = (sample - mean) >> Self.shift
        self.mean = mean + step
    }
}
