import ApusModel

/// How far one incarnation of a worker is trusted: its strikes, and the quarantine that follows from them.
///
/// A quarantine doubles with every strike, so that a worker that fails again and again costs ever fewer attempts, and ends by
/// itself, so that nobody has to forgive. A worker that serves well for a while is as good as new. A new incarnation gets a new
/// value: a restarted process starts clean.
struct Probation: Sendable {
    /// What a worker is blamed for.
    enum Strike: Hashable, Sendable, CaseIterable {
        /// Its engine stood still while it was busy.
        case hung
        /// Nothing came from it for too long.
        case silent
        /// It sent what can't be true: a wrong index, an end too early.
        case lied
        /// Its connection broke and came back.
        case flapped
        /// It became much slower than it was.
        case slowed

        /// Whether the first of them is forgiven: the network or a neighbour may be to blame.
        var isMild: Bool { self == .silent || self == .flapped || self == .slowed }
    }

    /// The first quarantine; each further strike doubles it.
    static let firstQuarantine: Duration = .seconds(1)

    /// The longest quarantine: a worker that recovers is back within half a minute.
    static let longestQuarantine: Duration = .seconds(30)

    /// Good service, counted from the last strike or the end of its quarantine, after which all strikes are forgotten.
    static let forgiveness: Duration = .seconds(60)

    /// When the last quarantine ends or ended; `nil` where no strike led to one.
    private(set) var until: Timestamp?

    // The quarantine doubles this many times less one; 0 after a first mild strike.
    private var level = 0
    private var strikes: UInt32 = 0
    private var struckAt = Timestamp.zero

    /// A worker without strikes.
    init() {}

    /// Counts a strike, and starts or extends the quarantine.
    ///
    /// - Parameters:
    ///   - strike: What the worker is blamed for.
    ///   - now: When it was noticed.
    mutating func struck(_ strike: Strike, at now: Timestamp) {
        if strikes(at: now) == 0 {
            level = strike.isMild ? 0 : 1
            strikes = 1
            until = nil
        } else {
            level = min(level + 1, 16)
            strikes = min(strikes + 1, 1_000)
        }
        struckAt = now
        guard level > 0 else { return }
        let end = now + min(Self.longestQuarantine, Self.firstQuarantine * (1 << (level - 1)))
        until = max(until ?? end, end)
    }

    /// Whether the worker gets no work while a trusted one is connected.
    func isQuarantined(at now: Timestamp) -> Bool {
        guard let until else { return false }
        return now < until
    }

    /// The strikes that are not forgotten; at most 1,000 are counted.
    func strikes(at now: Timestamp) -> Int {
        guard strikes > 0 else { return 0 }
        let good = max(struckAt, until ?? struckAt)
        return now - good >= Self.forgiveness ? 0 : Int(strikes)
    }
}
