import ApusCore
import ApusModel

/// Once the faults are over, everything accepted ends, and every client hears of it, within the time that the world gives.
struct ProgressChecker: Checker {
    static let name = "no starvation once healed"

    var violation: Violation?

    private enum State: UInt8 {
        case unknown, accepted, ended
    }

    private var states: PerStream<State>
    private var tokens: PerStream<Int>
    private var healedAt: Timestamp?

    init(configuration: WorldConfiguration) {
        states = PerStream(from: configuration.settings.firstStream, initial: .unknown)
        tokens = PerStream(from: configuration.settings.firstStream, initial: 0)
    }

    mutating func committed(tokens batches: [TokenColumns], records: [JournalRecord], at now: Timestamp) {
        for place in batches.indices {
            for row in 0..<batches[place].rows {
                tokens[batches[place].streams[row]] += Int(batches[place].counts[row])
            }
        }
        for record in records {
            switch record {
            case .accepted(let accepted): for stream in accepted.streams { states[stream] = .accepted }
            case .ended(let stream, _, _): states[stream.rawValue] = .ended
            case .leased, .forgotten: break
            }
        }
    }

    mutating func lost(_ loss: CoordinatorLoss, at now: Timestamp) {
        for stream in loss.derivedAgain { tokens[stream.rawValue] = 0 }
        for accepted in loss.gone {
            for stream in accepted.streams { states[stream] = .unknown }
        }
    }

    mutating func healed(at now: Timestamp) {
        healedAt = now
    }

    mutating func worldEnded(_ end: borrowing WorldEnd, at now: Timestamp) {
        guard end.isLate else { return }
        let seconds = healedAt.map { (now - $0).inSeconds } ?? 0
        for stream in states.first..<states.end where states[stream] == .accepted {
            broken(
                at: now,
                "stream \(stream) has \(tokens[stream]) tokens and has not ended \(seconds) s after the faults were over"
            )
            return
        }
        broken(at: now, "all streams ended, but a client still waits \(seconds) s after the faults were over")
    }
}
