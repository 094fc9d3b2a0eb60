import ApusCore
import ApusModel

/// What a client gets is a prefix of the one true sequence of its job, in worlds whose workers all compute the same.
struct PrefixChecker: Checker {
    static let name = "prefix of the one true sequence"

    var violation: Violation?

    /// What all workers compute with; `nil` where they differ, and nothing can be said.
    private let numerics: UInt64?
    private var seeds: PerStream<UInt64?>

    init(configuration: WorldConfiguration) {
        seeds = PerStream(from: configuration.settings.firstStream, initial: nil)
        let first = configuration.workers.first?.fingerprint
        let isOne = configuration.workers.allSatisfy { $0.fingerprint == first }
        numerics = isOne ? first.map(Truth.numerics) : nil
    }

    mutating func committed(tokens: [TokenColumns], records: [JournalRecord], at now: Timestamp) {
        for case .accepted(let accepted) in records {
            for (choice, stream) in accepted.streams.enumerated() {
                seeds[stream] = accepted.request.sampling.seed.map { Truth.seed($0, ofChoice: choice) }
            }
        }
    }

    mutating func clientReceived(_ message: ClientMessage, by client: ClientLife, at now: Timestamp) {
        guard let numerics, case .tokens(let shared) = message else { return }
        var token = 0
        for row in 0..<shared.value.rows {
            let stream = shared.value.streams[row]
            let first = Int(shared.value.firstIndexes[row])
            let count = Int(shared.value.counts[row])
            defer { token += count }
            guard let seed = seeds[stream] else { continue }
            for place in 0..<count {
                let expected = Truth.token(seed: seed, index: first + place, numerics: numerics)
                guard shared.value.ids[token + place] != expected else { continue }
                let seen = shared.value.ids[token + place]
                broken(
                    at: now,
                    "client \(client.client) got token \(seen) at index \(first + place) of stream \(stream), not \(expected)"
                )
                return
            }
        }
    }
}
