import ApusCore
import ApusModel

/// One attempt of a stream brings tokens at a time: once a later one has brought one, no earlier one ever does.
struct AcceptingChecker: Checker {
    static let name = "one accepting attempt at a time"

    var violation: Violation?

    /// The epoch that brought the last token of each stream.
    private var epochs: PerStream<UInt32>

    init(configuration: WorldConfiguration) {
        epochs = PerStream(from: configuration.settings.firstStream, initial: 0)
    }

    mutating func committed(tokens: [TokenColumns], records: [JournalRecord], at now: Timestamp) {
        for place in tokens.indices {
            for row in 0..<tokens[place].rows {
                let stream = tokens[place].streams[row]
                let epoch = tokens[place].epochs[row]
                let last = epochs[stream]
                if epoch > last {
                    epochs[stream] = epoch
                } else if epoch < last {
                    broken(
                        at: now,
                        "epoch \(epoch) brought index \(tokens[place].firstIndexes[row]) of stream \(stream) after epoch \(last)"
                    )
                }
            }
        }
    }
}
