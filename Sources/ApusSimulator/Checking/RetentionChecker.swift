import ApusCore
import ApusModel

/// A job is kept until its retention is over, running or ended, in memory or not, over all lives of the coordinator: nobody hears
/// that it is unknown, and the journal does not drop it.
struct RetentionChecker: Checker {
    static let name = "kept until retention ends"

    var violation: Violation?

    private struct Kept {
        let key: String
        let durability: Durability
        var unended: Int
        var endedAt = Timestamp.zero
    }

    private var jobs: [JobID: Kept] = [:]
    private var keys: [String: JobID] = [:]
    private var jobOfStream: PerStream<JobID?>

    /// Submits and attaches for kept jobs that wait for their answer, by connection and number.
    private var asked: PairTable<JobID?> = PairTable(initial: nil)
    private let configuration: WorldConfiguration

    init(configuration: WorldConfiguration) {
        self.configuration = configuration
        jobOfStream = PerStream(from: configuration.settings.firstStream, initial: nil)
        jobs.reserveCapacity(configuration.jobs.count)
        keys.reserveCapacity(configuration.jobs.count)
    }

    mutating func requestTold(_ request: ClientRequest, from peer: ClientPeer, at now: Timestamp) {
        switch request {
        case .submit(let number, let key, _, _): asked[peer.rawValue, number] = keys[key]
        case .attach(let number, let job, let key, _, _, _):
            let known = job.map { jobs[$0] == nil ? nil : $0 } ?? keys[key]
            asked[peer.rawValue, number] = known
        case .hello, .credit, .detach, .cancel, .drain, .retry: break
        }
    }

    mutating func committed(tokens: [TokenColumns], records: [JournalRecord], at now: Timestamp) {
        for record in records {
            switch record {
            case .accepted(let accepted):
                jobs[accepted.job] = Kept(
                    key: accepted.key,
                    durability: accepted.request.durability,
                    unended: accepted.streams.count
                )
                keys[accepted.key] = accepted.job
                for stream in accepted.streams { jobOfStream[stream] = accepted.job }
            case .leased: break
            case .ended(let stream, _, let moment):
                guard let job = jobOfStream[stream.rawValue] else { continue }
                jobs[job]?.unended -= 1
                jobs[job]?.endedAt = moment
            case .forgotten(let stream): forgotten(stream, at: now)
            }
        }
    }

    private mutating func forgotten(_ stream: StreamID, at now: Timestamp) {
        guard let job = jobOfStream[stream.rawValue], let kept = jobs[job] else { return }
        jobs[job] = nil
        if keys[kept.key] == job { keys[kept.key] = nil }
        guard configuration.settings.recallsEnded, kept.durability != .none else { return }
        guard kept.unended > 0 || now - kept.endedAt <= configuration.journalRetention else { return }
        broken(
            at: now,
            "job \(job) was forgotten \((now - kept.endedAt).milliseconds) ms after its end; "
                + "it is to be kept for \(configuration.journalRetention.milliseconds) ms"
        )
    }

    mutating func lost(_ loss: CoordinatorLoss, at now: Timestamp) {
        for accepted in loss.gone {
            jobs[accepted.job] = nil
            if keys[accepted.key] == accepted.job { keys[accepted.key] = nil }
        }
    }

    mutating func sent(_ message: ClientMessage, to peer: ClientPeer, at now: Timestamp) {
        guard case .rejected(let number, let error) = message, error.code == .notFound,
            let job = asked[peer.rawValue, number], jobs[job] != nil
        else { return }
        broken(at: now, "connection \(peer.rawValue) heard that job \(job) is unknown, which is kept")
    }
}
