import ApusCore
import ApusModel

/// The number of a stream is given once, over all lives of the coordinator: also that of a stream which died with one.
struct NumberChecker: Checker {
    static let name = "stream numbers given once"

    var violation: Violation?

    private var last: UInt64 = 0

    mutating func committed(tokens: [TokenColumns], records: [JournalRecord], at now: Timestamp) {
        for case .accepted(let accepted) in records {
            if accepted.stream.rawValue <= last {
                broken(
                    at: now,
                    "job \(accepted.job) got stream \(accepted.stream), a number that was given before: they go up to \(last)"
                )
            }
            last = max(last, accepted.streams.upperBound - 1)
        }
    }
}
