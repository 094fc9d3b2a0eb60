/// What clients saw of a worker under a batch policy.
struct PolicyResult {
    private var gaps: [Double] = []
    private var firstTokens: [Double] = []
    private var tokens = 0
    private var seconds = 0.0

    /// Nothing seen yet.
    init() {}

    /// Takes the streams of a run.
    mutating func note(_ records: [StreamRecord]) {
        for record in records {
            gaps += record.gaps
            firstTokens.append(record.firstToken)
            tokens += record.ids.count
        }
        if let begin = records.map(\.submitted).min(), let end = records.compactMap(\.arrivals.last).max() {
            seconds += begin.duration(to: end).seconds
        }
    }

    /// Tokens a second over the whole load.
    var speed: Double { Double(tokens) / seconds }

    /// The share of the times between tokens that are at most so many milliseconds.
    func share(within target: Double) -> Double { Double(gaps.count { $0 <= target }) / Double(gaps.count) }

    /// Adds what was seen to the figures.
    func report(_ policy: String, target: Double, into figures: inout Figures) {
        figures.add("\(policy): times between tokens within the target", share(within: target) * 100, "%")
        figures.add("\(policy): times between tokens", milliseconds: gaps)
        figures.add("\(policy): tokens a second", speed, "tokens/s")
        figures.add("\(policy): first token", milliseconds: firstTokens)
    }
}
