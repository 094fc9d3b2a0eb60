import ApusCore
import ApusModel

/// A key belongs to one job for as long as the job is kept: a repeated submit is answered with it and all of its streams, another
/// request is refused.
struct IdempotenceChecker: Checker {
    static let name = "idempotent submit"

    var violation: Violation?

    private struct Known {
        let job: JobID
        let stream: StreamID
        let request: GenerationRequest
        let choseSeed: Bool

        var streams: Range<UInt64> { stream.rawValue..<stream.rawValue + UInt64(request.choices) }
    }

    private var keys: [String: Known] = [:]
    /// Jobs of which somebody wanted a retry, which may take the key over.
    private var retried: Set<JobID> = []

    private var keyOfStream: PerStream<String?>

    /// Submits and attaches that wait for their answer, by connection and number.
    private var asked: PairTable<(key: String, request: GenerationRequest?, choice: Int)?> = PairTable(initial: nil)

    init(configuration: WorldConfiguration) {
        keyOfStream = PerStream(from: configuration.settings.firstStream, initial: nil)
        keys.reserveCapacity(configuration.jobs.count)
    }

    mutating func requestTold(_ request: ClientRequest, from peer: ClientPeer, at now: Timestamp) {
        switch request {
        case .submit(let number, let key, let request, _): asked[peer.rawValue, number] = (key, request, 0)
        case .attach(let number, nil, let key, let choice, _, _): asked[peer.rawValue, number] = (key, nil, choice)
        case .retry(_, let job): retried.insert(job)
        case .hello, .attach, .credit, .detach, .cancel, .drain: break
        }
    }

    mutating func committed(tokens: [TokenColumns], records: [JournalRecord], at now: Timestamp) {
        for record in records {
            switch record {
            case .accepted(let accepted):
                if let known = keys[accepted.key], !retried.contains(known.job) {
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
                for stream in accepted.streams { keyOfStream[stream] = accepted.key }
            case .forgotten(let stream):
                guard let key = keyOfStream[stream.rawValue], let known = keys[key] else { continue }
                if known.streams.contains(stream.rawValue) { keys[key] = nil }
            case .leased, .ended: break
            }
        }
    }

    mutating func lost(_ loss: CoordinatorLoss, at now: Timestamp) {
        for accepted in loss.gone where keys[accepted.key]?.job == accepted.job { keys[accepted.key] = nil }
    }

    mutating func sent(_ message: ClientMessage, to peer: ClientPeer, at now: Timestamp) {
        guard case .accepted(let number, let job, let stream, let seed, let choices) = message,
            let (key, request, choice) = asked[peer.rawValue, number], let known = keys[key]
        else { return }
        asked[peer.rawValue, number] = nil
        let expected = known.stream.rawValue + UInt64(choice)
        let right = Truth.seed(known.request.sampling.seed ?? 0, ofChoice: choice)
        let isRight = known.job == job && stream.rawValue == expected && seed == right
        if !isRight || choices != known.request.choices {
            broken(
                at: now,
                "key \(key) was answered with job \(job), stream \(stream), seed \(seed) and \(choices) streams, not with job "
                    + "\(known.job), stream \(expected), seed \(right) and \(known.request.choices) streams"
            )
        }
        guard let request else { return }
        var sampling = known.request.sampling
        if known.choseSeed { sampling.seed = nil }
        let isSame =
            request.promptDigest == known.request.promptDigest && request.maximumTokens == known.request.maximumTokens
            && request.sampling == sampling && request.stop == known.request.stop
            && request.choices == known.request.choices
        if !isSame { broken(at: now, "key \(key) was accepted for another request than that of job \(known.job)") }
    }
}
