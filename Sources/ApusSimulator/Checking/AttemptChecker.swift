import ApusCore
import ApusModel

/// Attempts are numbered by one for ever, and a job gets no more of them at the same place than the limit says.
///
/// Only lost workers count against a job; what the machine counted stands in each lease.
struct AttemptChecker: Checker {
    static let name = "attempts bounded and monotone"

    /// Losses in a row at about the same index after which a job is given up.
    static let lossLimit = 3

    var violation: Violation?

    private var epochs: PerStream<UInt32>
    private let truth: Truth

    /// Streams that were accepted for jobs that kill their workers; a job that is tried again counts again.
    private var poisonedStreams = 0
    private var poisonings = 0
    private var deaths = 0

    init(truth: Truth, configuration: WorldConfiguration) {
        epochs = PerStream(from: configuration.settings.firstStream, initial: 0)
        self.truth = truth
    }

    mutating func committed(tokens: [TokenColumns], records: [JournalRecord], at now: Timestamp) {
        for record in records {
            switch record {
            case .leased(let lease):
                let expected = epochs[lease.stream.rawValue] + 1
                if lease.epoch.rawValue != expected {
                    broken(at: now, "stream \(lease.stream) got attempt \(lease.epoch), expected \(expected)")
                }
                epochs[lease.stream.rawValue] = max(expected - 1, lease.epoch.rawValue)
                if lease.losses >= Self.lossLimit {
                    broken(
                        at: now,
                        "stream \(lease.stream) got attempt \(lease.epoch) after \(lease.losses) losses at the same place"
                    )
                }
            case .ended(let stream, let end, _):
                let attempts = Int(epochs[stream.rawValue])
                if end.attempts != attempts {
                    broken(
                        at: now,
                        "stream \(stream) ended after \(end.attempts) attempts; the journal has \(attempts)"
                    )
                }
                if end.error?.code == .attemptsExhausted, attempts < Self.lossLimit {
                    broken(at: now, "stream \(stream) was given up after \(attempts) attempts")
                }
            case .accepted(let accepted):
                let place = JobSpec.place(of: accepted.request)
                if truth.jobs.indices.contains(place), truth.jobs[place].poisonedIndex != nil {
                    poisonedStreams += accepted.request.choices
                }
            case .forgotten: break
            }
        }
    }

    mutating func coordinatorDied(at now: Timestamp) {
        deaths += 1
    }

    mutating func faulted(_ fault: Fault, at now: Timestamp) {
        guard fault == .poisonedJob else { return }
        poisonings += 1
        // A coordinator that dies beside the worker does not learn of the loss.
        let bound = poisonedStreams * (Self.lossLimit + deaths)
        if poisonings > bound {
            broken(
                at: now,
                "\(poisonedStreams) poisoned streams killed \(poisonings) workers, at most \(bound) are allowed"
            )
        }
    }
}
