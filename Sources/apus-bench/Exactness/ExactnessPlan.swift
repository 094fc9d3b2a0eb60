/// How much of the table of exactness is measured.
struct ExactnessPlan: Sendable {
    /// The rows.
    var modes: [ExactnessMode]

    /// Tokens of a stream.
    var tokens: Int

    /// Streams beside the measured one, a column each.
    var companions: [Int]

    /// Tokens that the slowest stream has when its worker is killed, a column each.
    var kills: [Int]

    /// Everything that the documents show.
    static let full = ExactnessPlan(
        modes: ExactnessMode.allCases,
        tokens: 64,
        companions: [1, 3, 7, 15, 31],
        kills: [1, 20, 40]
    )

    /// What a test has the time for.
    static let quick = ExactnessPlan(modes: ExactnessMode.allCases, tokens: 32, companions: [5], kills: [12])

    /// Slots of a worker that takes the companions and a job of four choices.
    var slots: Int { (companions.max() ?? 0) + 5 }
}
