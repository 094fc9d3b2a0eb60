import ApusCore
import ApusModel

/// The journal has every index of a stream once, in order, and its end counts exactly those.
struct UsageChecker: Checker {
    static let name = "usage counts each released token once"

    var violation: Violation?

    private var counts: PerStream<Int>

    init(configuration: WorldConfiguration) {
        counts = PerStream(from: configuration.settings.firstStream, initial: 0)
    }

    mutating func committed(tokens: [TokenColumns], records: [JournalRecord], at now: Timestamp) {
        for place in tokens.indices {
            for row in 0..<tokens[place].rows {
                let stream = tokens[place].streams[row]
                let first = Int(tokens[place].firstIndexes[row])
                if first != counts[stream] {
                    broken(
                        at: now,
                        "index \(first) of stream \(stream) was journaled, expected \(counts[stream])"
                    )
                }
                counts[stream] += Int(tokens[place].counts[row])
            }
        }
        for case .ended(let stream, let end, _) in records where end.usage.completionTokens != counts[stream.rawValue] {
            broken(
                at: now,
                "stream \(stream) ended with \(end.usage.completionTokens) tokens counted; the journal has "
                    + "\(counts[stream.rawValue])"
            )
        }
    }

    mutating func lost(_ loss: CoordinatorLoss, at now: Timestamp) {
        for stream in loss.derivedAgain { counts[stream.rawValue] = 0 }
    }
}
