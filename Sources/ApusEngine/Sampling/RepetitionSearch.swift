import ApusModel

/// Finds which tokens would go on a sequence that was there before, and how long it is: the history of DRY.
struct RepetitionSearch {
    /// The most earlier places of the last token that one search looks at, the latest first.
    static let mostPlaces = 2_048

    /// The most tokens that one search compares.
    static let mostComparisons = 8_192

    /// Sequences count as at most so many tokens longer than the free ones.
    static let longestExcess = 128

    private let parameters: DryParameters
    private var tokens: [TokenID] = []
    /// For each place, the place before it with the same token; -1: none.
    private var former: [Int32] = []
    private var breaks: [Bool] = []
    private var latest: [TokenID: Int32] = [:]
    private let breakers: [[UInt8]]
    private let appendText: (TokenID, inout [UInt8]) -> Void
    private var text: [UInt8] = []

    /// A search in an empty history.
    init(parameters: DryParameters, vocabulary: SamplerVocabulary) {
        self.parameters = parameters
        breakers = parameters.breakers.map { Array($0.utf8) }
        appendText = vocabulary.appendText
    }

    /// Appends a token to the history.
    mutating func accept(_ token: TokenID) {
        let place = Int32(truncatingIfNeeded: tokens.count)
        let before = latest.updateValue(place, forKey: token)
        tokens.append(token)
        former.append(before ?? -1)
        breaks.append(before.map { breaks[Int($0)] } ?? isBreaker(token))
    }

    /// Searches for the repetitions that a next token may go on.
    ///
    /// The work is bounded by `mostPlaces` and `mostComparisons`; which repetitions are missed then depends on the history
    /// alone.
    ///
    /// - Parameter found: Receives a number for each repetition, in no order: the token that goes it on, above 32 bits of
    ///   its length, which is at least the free one; its former content is replaced.
    func find(into found: inout [UInt64]) {
        found.removeAll(keepingCapacity: true)
        guard let end = tokens.indices.last, !breaks[end] else { return }
        let first = parameters.window > 0 ? max(0, tokens.count - parameters.window) : 0
        let longest = parameters.allowedLength + Self.longestExcess
        var comparisons = 0
        var visits = 0
        var place = Int(former[end])
        while place >= first, visits < Self.mostPlaces, comparisons < Self.mostComparisons {
            visits += 1
            var length = 1
            while length < longest, place - length >= first, tokens[place - length] == tokens[end - length],
                !breaks[end - length]
            {
                length += 1
            }
            comparisons += length
            if length >= parameters.allowedLength, !breaks[place + 1] {
                found.append(UInt64(UInt32(bitPattern: tokens[place + 1].rawValue)) << 32 | UInt64(length))
            }
            place = Int(former[place])
        }
    }

    /// What a token loses for going on a repetition.
    func penalty(length: Int) -> Double {
        var penalty = parameters.multiplier
        // Under Float's range, where logits stay comparable.
        for _ in 0..<max(0, length - parameters.allowedLength) where penalty < 1e30 { penalty *= parameters.base }
        return penalty
    }

    private mutating func isBreaker(_ token: TokenID) -> Bool {
        text.removeAll(keepingCapacity: true)
        appendText(token, &text)
        return breakers.contains { breaker in
            guard text.count >= breaker.count else { return false }
            return (0...(text.count - breaker.count)).contains { start in
                text[start..<(start + breaker.count)].elementsEqual(breaker)
            }
        }
    }
}
