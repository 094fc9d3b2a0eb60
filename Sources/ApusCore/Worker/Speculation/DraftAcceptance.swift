/// How often drafted tokens are right, by the length of the match that they rest on.
///
/// Geometric: each further token of a draft is right with the same probability, as long as all before it were. Old
/// drafts fade.
struct DraftAcceptance: Sendable {
    /// The part of the old counts that remains at each draft of the same class.
    private static let memory = 0.9

    /// Classes of matches by length: 2, 3, 4, 5-7, 8-15, 16 and more.
    static let classes = 6

    private var right = Array(repeating: 0.0, count: DraftAcceptance.classes)
    private var tried = Array(repeating: 0.0, count: DraftAcceptance.classes)

    /// Nothing is known.
    init() {}

    /// The class of a match.
    static func place(matchLength: Int) -> Int {
        switch matchLength {
        case ...2: 0
        case 3: 1
        case 4: 2
        case 5...7: 3
        case 8...15: 4
        default: 5
        }
    }

    /// Takes the outcome of a draft.
    ///
    /// - Parameters:
    ///   - drafted: Its tokens.
    ///   - accepted: How many of them, from the first on, were right.
    ///   - matchLength: The length of its match.
    mutating func draftVerified(drafted: Int, accepted: Int, matchLength: Int) {
        guard drafted > 0 else { return }
        let place = Self.place(matchLength: matchLength)
        let accepted = min(max(0, accepted), drafted)
        right[place] = right[place] * Self.memory + Double(accepted)
        tried[place] = tried[place] * Self.memory + Double(accepted + (accepted < drafted ? 1 : 0))
    }

    /// The probability that a draft's next token is right.
    ///
    /// - Parameters:
    ///   - matchLength: The length of the match.
    ///   - prior: What it is thought to be without any trial.
    ///   - strength: As many trials the prior counts for.
    /// - Returns: 0 to 1.
    func probability(matchLength: Int, prior: Double, strength: Double) -> Double {
        let place = Self.place(matchLength: matchLength)
        return (right[place] + prior * strength) / (tried[place] + strength)
    }
}
