import ApusCore
import ApusModel

/// A key belongs to one job for as long as the job is kept: a repeated submit is answered with it, another request is refused.
struct IdempotenceChecker: Checker {
    static let name = "idempotent submit"

    var violation: Violation?

    private struct Known {
        let job: JobID
        let stream: StreamID
        let request: GenerationRequest
        let choseSeed: Bool
    }

    private var keys: [String: Known] = [:]
    private var keyOfStream: PerStream<String?>

    /// Submits and attaches that wait for their answer, by connection and number.
    private var asked: PairTable<(key: String, request: GenerationRequest?)?> = PairTable(initial: nil)

    init(configuration: WorldConfiguration) {
        keyOfStream = PerStream(from: configuration.settings.firstStream, initial: nil)
        keys.reserveCapacity(configuration.jobs.count)
    }

    mutating func requestTold(_ request: ClientRequest, from peer: ClientPeer, at now: Timestamp) {
        switch request {
        case .submit(let number, let key, let request, _): asked[peer.rawValue, number] = (key, request)
        case .attach(let number, nil, let key, _, _): asked[peer.rawValue, number] = (key, nil)
        case .hello, .attach, .credit, .detach, .cancel, .drain: break
        }
    }

    mutating func committed(tokens: [TokenColumns], records: [JournalRecord], at now: Timestamp) {
        for record in records {
            switch record {
            case .accepted(let accepted):
                if let known = keys[accepted.key] {
                    broken(
                        at: now,
                        "key \(accepted.key) made stream \(accepted.stream) beside stream \(known.stream), which is kept"
                    )
                }
                keys[accepted.key] = Known(
                    job: accepted.job,
                    stream: accepted.stream,
                    request: accepted.request,
                    choseSeed: accepted.choseSeed
                )
                keyOfStream[accepted.stream.rawValue] = accepted.key
            case .forgotten(let stream):
                if let key = keyOfStream[stream.rawValue] { keys[key] = nil }
            case .leased, .ended: break
            }
        }
    }

    mutating func sent(_ message: ClientMessage, to peer: ClientPeer, at now: Timestamp) {
        guard case .accepted(let number, let job, let stream, let seed) = message,
            let (key, request) = asked[peer.rawValue, number], let known = keys[key]
        else { return }
        asked[peer.rawValue, number] = nil
        if known.job != job || known.stream != stream || known.request.sampling.seed != seed {
            broken(
                at: now,
                "key \(key) was answered with job \(job), stream \(stream) and seed \(seed), not with job \(known.job), "
                    + "stream \(known.stream) and seed \(known.request.sampling.seed ?? 0)"
            )
        }
        guard let request else { return }
        var sampling = known.request.sampling
        if known.choseSeed { sampling.seed = nil }
        let isSame =
            request.prompt == known.request.prompt && request.maximumTokens == known.request.maximumTokens
            && request.sampling == sampling && request.stop == known.request.stop
        if !isSame { broken(at: now, "key \(key) was accepted for another request than that of job \(known.job)") }
    }
}
