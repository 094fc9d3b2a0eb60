import ApusCore
import ApusModel

/// A stream that is said to be exact has the tokens of one undisturbed run: all of them are what the numerics of the attempt
/// that brought the first one compute.
struct ContinuityChecker: Checker {
    static let name = "continuity is true"

    var violation: Violation?

    private struct State {
        var seed: UInt64?

        /// The numerics that the first token came from.
        var numerics: UInt64?

        /// The first index that they do not compute.
        var deviation: Int?
    }

    private var streams: PerStream<State>

    /// The numerics of each attempt, in order; apart from the rest, which is then read without counting a reference.
    private var attempts: PerStream<[UInt64]>

    init(configuration: WorldConfiguration) {
        streams = PerStream(from: configuration.settings.firstStream, initial: State())
        attempts = PerStream(from: configuration.settings.firstStream, initial: [])
    }

    mutating func committed(tokens: [TokenColumns], records: [JournalRecord], at now: Timestamp) {
        for place in tokens.indices {
            var token = 0
            for row in 0..<tokens[place].rows {
                let count = Int(tokens[place].counts[row])
                take(row, token..<token + count, of: place, in: tokens)
                token += count
            }
        }
        for record in records {
            switch record {
            case .accepted(let accepted):
                for (choice, stream) in accepted.streams.enumerated() {
                    streams[stream].seed = accepted.request.sampling.seed.map { Truth.seed($0, ofChoice: choice) }
                }
            case .leased(let lease):
                attempts[lease.stream.rawValue].append(Truth.numerics(of: lease.fingerprint))
            case .ended(let stream, let end, _):
                let isSaid = end.continuity == .exact || end.continuity == .restart
                guard isSaid, let deviation = streams[stream.rawValue].deviation else { continue }
                broken(
                    at: now,
                    "stream \(stream) is said to be \(end.continuity.rawValue), but index \(deviation) is of other numerics"
                )
            case .forgotten: break
            }
        }
    }

    /// The columns are named by their place, because an argument of their own would be copied for each row.
    @inline(__always)
    private mutating func take(_ row: Int, _ range: Range<Int>, of place: Int, in tokens: [TokenColumns]) {
        let stream = tokens[place].streams[row]
        let state = streams[stream]
        guard let seed = state.seed, state.deviation == nil else { return }
        if state.numerics == nil {
            let attempt = Int(tokens[place].epochs[row]) - 1
            guard attempts[stream].indices.contains(attempt) else { return }
            streams[stream].numerics = attempts[stream][attempt]
        }
        guard let numerics = streams[stream].numerics else { return }
        var index = Int(tokens[place].firstIndexes[row])
        for token in range {
            if tokens[place].ids[token] != Truth.token(seed: seed, index: index, numerics: numerics) {
                streams[stream].deviation = index
                return
            }
            index += 1
        }
    }
}
