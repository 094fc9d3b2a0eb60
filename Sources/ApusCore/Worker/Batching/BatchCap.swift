/// An upper bound on the batch that halves in trouble and goes away by and by once the trouble is over.
struct BatchCap: Sendable {
    /// Measured steps after which an eased cap rises by one.
    private static let stepsToRise = 4

    /// The bound; `nil` while there is none.
    private(set) var limit: Int?

    private var isEased = false
    private var steps = 0

    /// No bound.
    init() {}

    /// Halves what is allowed.
    ///
    /// - Parameters:
    ///   - current: The batch limit in force.
    ///   - minimum: Never less than this.
    mutating func halve(from current: Int, minimum: Int) {
        limit = max(minimum, min(current, limit ?? current) / 2)
        isEased = false
        steps = 0
    }

    /// Lets the cap rise from now on.
    mutating func ease() { isEased = true }

    /// Takes note of a step; an eased cap rises by one every few, and is gone at `maximum`.
    mutating func stepMeasured(maximum: Int) {
        guard isEased, let limit else { return }
        steps += 1
        guard steps >= Self.stepsToRise else { return }
        steps = 0
        self.limit = limit + 1 < maximum ? limit + 1 : nil
    }
}
