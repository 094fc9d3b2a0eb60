import ApusModel

/// What the streams of one request brought: the bytes that have to be the same.
struct ExactnessOutput: Sendable {
    /// A stream.
    struct Choice: Sendable {
        var ids: [Int32]
        var utf8: [UInt8]
        var reason: FinishReason
    }

    /// The streams, in the order of the request's choices.
    var choices: [Choice]

    /// The ends of the streams.
    var ends: [StreamEnd]

    /// Keeps what streams brought that are over and were served right.
    init(_ records: some Sequence<StreamRecord>) {
        choices = records.map { Choice(ids: $0.ids, utf8: $0.utf8, reason: $0.end?.reason ?? .failed) }
        ends = records.compactMap(\.end)
    }

    /// Tokens of the longest stream.
    var tokens: Int { choices.map(\.ids.count).max() ?? 0 }

    /// The sum of a figure of the streams' summaries.
    func sum(_ figure: KeyPath<SessionSummary, Int>) -> Int {
        ends.reduce(0) { $0 + ($1.summary?[keyPath: figure] ?? 0) }
    }

    /// Where another output departs from this one; `nil` where it is the same, byte for byte.
    func difference(to other: ExactnessOutput) -> String? {
        guard choices.count == other.choices.count else { return "\(other.choices.count) streams" }
        for (number, (mine, its)) in zip(choices, other.choices).enumerated() {
            let place = choices.count > 1 ? " of choice \(number)" : ""
            if let index = zip(mine.ids, its.ids).enumerated().first(where: { $1.0 != $1.1 })?.offset {
                return "at token \(index)\(place)"
            }
            if mine.ids.count != its.ids.count { return "\(its.ids.count) tokens, not \(mine.ids.count)\(place)" }
            if mine.utf8 != its.utf8 { return "in the text\(place)" }
            if mine.reason != its.reason { return "ended by \(its.reason)\(place)" }
        }
        return nil
    }
}
