import ApusCore
import ApusModel

/// Whatever a message reveals is in the journal before: the acceptance of a job, its tokens, its attempts, its end.
struct DurabilityChecker: Checker {
    static let name = "journaled before it is visible"

    var violation: Violation?

    private struct State {
        var tokens = 0
        var epoch: UInt32 = 0
        var isAccepted = false
        var isEnded = false
    }

    private var streams: PerStream<State>
    private var streamsOfJob: [JobID: Range<UInt64>] = [:]

    /// Cancels that are told and not answered, by connection and number.
    private var cancels: PairTable<JobID?> = PairTable(initial: nil)

    init(configuration: WorldConfiguration) {
        streams = PerStream(from: configuration.settings.firstStream, initial: State())
        streamsOfJob.reserveCapacity(configuration.jobs.count)
    }

    mutating func requestTold(_ request: ClientRequest, from peer: ClientPeer, at now: Timestamp) {
        if case .cancel(let number, let job) = request { cancels[peer.rawValue, number] = job }
    }

    mutating func committed(tokens: [TokenColumns], records: [JournalRecord], at now: Timestamp) {
        for place in tokens.indices {
            for row in 0..<tokens[place].rows {
                let stream = tokens[place].streams[row]
                let end = Int(tokens[place].firstIndexes[row]) + Int(tokens[place].counts[row])
                streams[stream].tokens = max(streams[stream].tokens, end)
            }
        }
        for record in records {
            switch record {
            case .accepted(let accepted):
                for stream in accepted.streams { streams[stream].isAccepted = true }
                streamsOfJob[accepted.job] = accepted.streams
            case .leased(let lease):
                streams[lease.stream.rawValue].epoch = max(streams[lease.stream.rawValue].epoch, lease.epoch.rawValue)
            case .ended(let stream, _, _): streams[stream.rawValue].isEnded = true
            case .forgotten: break
            }
        }
    }

    mutating func lost(_ loss: CoordinatorLoss, at now: Timestamp) {
        for stream in loss.derivedAgain { streams[stream.rawValue].tokens = 0 }
        for accepted in loss.gone {
            for stream in accepted.streams { streams[stream] = State() }
        }
    }

    mutating func sent(_ message: ClientMessage, to peer: ClientPeer, at now: Timestamp) {
        switch message {
        case .accepted(_, _, let stream, _, _):
            if !streams[stream.rawValue].isAccepted {
                broken(at: now, "stream \(stream) was accepted towards its client before it was journaled")
            }
        case .tokens(let shared):
            for row in 0..<shared.value.rows {
                let end = Int(shared.value.firstIndexes[row]) + Int(shared.value.counts[row])
                let durable = streams[shared.value.streams[row]].tokens
                guard end > durable else { continue }
                broken(
                    at: now,
                    "index \(end - 1) of stream \(shared.value.streams[row]) was released; the journal has \(durable) tokens"
                )
                return
            }
        case .finished(let stream, _, _):
            if !streams[stream.rawValue].isEnded {
                broken(at: now, "the end of stream \(stream) was told before it was journaled")
            }
        case .done(let number):
            guard let job = cancels[peer.rawValue, number] else { return }
            cancels[peer.rawValue, number] = nil
            guard let ended = streamsOfJob[job], ended.allSatisfy({ streams[$0].isEnded }) else {
                broken(at: now, "a cancel of job \(job) was answered before the journal had an end of each stream")
                return
            }
        case .welcome, .rejected, .retried, .refused: break
        }
    }

    mutating func sent(_ message: WorkerMessage, to peer: WorkerPeer, at now: Timestamp) {
        switch message {
        case .assign(let stream, let epoch, _, _, _): checkLease(stream, epoch, at: now)
        case .enlisted(let keep): for attempt in keep { checkLease(attempt.stream, attempt.epoch, at: now) }
        case .acknowledge(let numbers, let through, _):
            for (stream, index) in zip(numbers, through) where Int(index) > streams[stream].tokens {
                broken(
                    at: now,
                    "stream \(stream) was acknowledged through \(index); the journal has \(streams[stream].tokens) tokens"
                )
                return
            }
        case .refused, .revoke, .drain: break
        }
    }

    private mutating func checkLease(_ stream: StreamID, _ epoch: Epoch, at now: Timestamp) {
        let durable = streams[stream.rawValue].epoch
        guard epoch.rawValue > durable else { return }
        broken(at: now, "attempt \(epoch) of stream \(stream) was sent out; the journal has \(durable) attempts")
    }
}
