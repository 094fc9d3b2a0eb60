import ApusModel

/// Decides how many tokens are guessed ahead of a stream and verified in the same pass.
///
/// It takes the width of the pass, one more than the tokens drafted, that brings the most tokens by time, by what
/// passes of each width cost here and by how often drafts like this one were right; and none unless that beats a plain
/// pass clearly.
///
/// Guessing never costs a stream much: each has an account (`StreamRecord`), in plain passes. Every token saves 1 % of
/// one; a draft gives or takes what it really gained or lost; and a draft is made only where its loss, should nothing
/// of it be right, is covered. So trials are rare where they fail, and drafts grow with their success.
///
/// Verification takes only what the stream would have said anyway, so nothing here can change an output.
package struct SpeculationPolicy: Sendable {
    /// What is known of one stream's drafts.
    package struct StreamRecord: Sendable {
        fileprivate var acceptance = DraftAcceptance()
        /// What guessing may still cost, in plain passes.
        package fileprivate(set) var account = SpeculationPolicy.firstAccount

        /// Tokens that were drafted so far.
        package private(set) var draftedTokens = 0

        /// Of these, confirmed.
        package private(set) var acceptedTokens = 0

        /// A stream without drafts.
        package init() {}

        fileprivate mutating func count(drafted: Int, accepted: Int) {
            draftedTokens += drafted
            acceptedTokens += accepted
        }
    }

    /// Widths that are considered unless others are given.
    package static let usualWidths = [2, 4, 5, 7, 9, 12, 15, 17, 23, 31]

    /// What a token adds to an account, what an account begins with, and the most that it holds, in plain passes.
    private static let allowance = 0.01
    fileprivate static let firstAccount = 1.35
    private static let fullAccount = 12.0

    /// A draft has to bring so many times the tokens by time of a plain pass; beside other streams, of the whole step.
    private static let margin = 1.1

    /// More streams beside it than this, and nothing is drafted: their tokens pay for the longer pass.
    private static let mostOthers = 3

    /// A draft is tried without knowledge after a match of so many tokens, with so many drafted tokens at most.
    private static let trialMatch = 4
    private static let trialDraft = 3

    /// Without trials, drafts of the worker's own kind of work count as so many trials of the stream.
    private static let sharedStrength = 2.0

    /// The probability of a right token before anything is known, by class of match.
    private static let priors = [0.2, 0.3, 0.4, 0.5, 0.6, 0.7]

    /// Widths that a pass with drafts may have, rising.
    ///
    /// Multiples of 8 are none: other kernels may run there.
    package let allowedWidths: [Int]

    private var costs = PassCostTable()
    private var shared = DraftAcceptance()

    /// A policy without measurements.
    ///
    /// - Parameter widths: Widths that the engine computes with the same bits as a plain pass; multiples of 8 and those
    ///   below 2 are left out.
    package init(widths: [Int] = SpeculationPolicy.usualWidths) {
        allowedWidths = widths.filter { $0 > 1 && $0 % 8 != 0 }.sorted()
    }

    // MARK: Facts

    /// Takes the time of a pass over `width` tokens of one stream alone; plain passes have width 1.
    package mutating func passMeasured(width: Int, latency: Duration) {
        costs.passMeasured(width: width, latency: latency)
    }

    /// Takes note that a stream got a token by a plain pass.
    package mutating func plainTokenDrawn(record: inout StreamRecord) {
        record.account = min(Self.fullAccount, record.account + Self.allowance)
    }

    /// Takes the outcome of a draft.
    ///
    /// - Parameters:
    ///   - drafted: Tokens that were drafted, 1 or more.
    ///   - accepted: How many of them, from the first on, were right; the pass brought one token more.
    ///   - matchLength: The length of the match that the draft rested on.
    ///   - record: The stream's record.
    package mutating func draftVerified(
        drafted: Int,
        accepted: Int,
        matchLength: Int,
        record: inout StreamRecord
    ) {
        guard drafted > 0 else { return }
        let accepted = min(max(0, accepted), drafted)
        record.acceptance.draftVerified(drafted: drafted, accepted: accepted, matchLength: matchLength)
        shared.draftVerified(drafted: drafted, accepted: accepted, matchLength: matchLength)
        record.count(drafted: drafted, accepted: accepted)
        let tokens = Double(accepted + 1)
        let gain = tokens - costs.relativeCost(width: drafted + 1)
        record.account = min(Self.fullAccount, record.account + gain + tokens * Self.allowance)
    }

    // MARK: Decisions

    /// How many tokens to draft for a stream's next pass.
    ///
    /// - Parameters:
    ///   - record: The stream's record.
    ///   - matchLength: The length of the drafter's match.
    ///   - available: The most tokens that a draft may have: by the stream's credit, its length and its context.
    ///   - otherRows: Rows of other streams in the same step.
    /// - Returns: 0, or a number of tokens whose pass has an allowed width.
    package func draftTokens(
        record: StreamRecord,
        matchLength: Int,
        available: Int,
        otherRows: Int = 0
    ) -> Int {
        guard available > 0, matchLength >= NgramDrafter.lengths.lowerBound, otherRows <= Self.mostOthers else {
            return 0
        }
        let place = DraftAcceptance.place(matchLength: matchLength)
        let prior = shared.probability(matchLength: matchLength, prior: Self.priors[place], strength: 4)
        let probability = record.acceptance.probability(
            matchLength: matchLength,
            prior: prior,
            strength: Self.sharedStrength
        )
        var best = 0
        var bestGain = Self.margin
        for width in allowedWidths where width - 1 <= available {
            let loss = costs.relativeCost(width: width) - 1
            guard loss <= record.account else { continue }
            let gain = gain(width: width, probability: probability, otherRows: otherRows)
            if gain > bestGain { (best, bestGain) = (width - 1, gain) }
        }
        if best > 0 || otherRows > 0 || matchLength < Self.trialMatch { return best }
        return trial(record: record, available: available)
    }

    /// The expected time of a pass over some tokens of one stream; `nil` before any was measured.
    package func expectedTime(width: Int) -> Duration? {
        costs.milliseconds(width: width).map { .nanoseconds(Int64($0 * 1e6)) }
    }

    // MARK: -

    /// Tokens by time of the step with the draft, as a multiple of those without.
    private func gain(width: Int, probability: Double, otherRows: Int) -> Double {
        var tokens = 1.0
        var chance = 1.0
        for _ in 1..<width {
            chance *= probability
            tokens += chance
        }
        let others = Double(otherRows)
        let cost = costs.relativeCost(width: width + otherRows) / costs.relativeCost(width: 1 + otherRows)
        return (others + tokens) / (others + 1) / cost
    }

    /// The draft that tells the most by its cost, where the account covers it.
    private func trial(record: StreamRecord, available: Int) -> Int {
        guard
            let width = allowedWidths.last(where: { $0 - 1 <= min(available, Self.trialDraft) }),
            costs.relativeCost(width: width) - 1 <= record.account
        else { return 0 }
        return width - 1
    }
}
