import ApusCore
import ApusModel

/// Only what failed is tried again, once at a time: as a new job with the same request and seed, which takes the key over.
struct RetryChecker: Checker {
    static let name = "a retry is the same job again"

    var violation: Violation?

    private struct Known {
        let accepted: AcceptedRecord
        var unended: Int
        var hasFailed = false

        var isToRetry: Bool { unended == 0 && hasFailed }
    }

    private var jobs: [JobID: Known] = [:]
    private var newest: [String: JobID] = [:]
    private var jobOfStream: PerStream<JobID?>

    /// Retries that wait for their answer, by connection and number: the job, and whether it could be tried again then.
    ///
    /// It may be forgotten in the turn that tries it again.
    private var asked: PairTable<(job: AcceptedRecord, isToRetry: Bool)?> = PairTable(initial: nil)

    /// Whether anybody wants retries in this world.
    private let isNeeded: Bool

    init(configuration: WorldConfiguration) {
        let place = Fault.allCases.firstIndex(of: .clientRetried) ?? 0
        isNeeded = configuration.faults.weights[place] > 0
        jobOfStream = PerStream(from: configuration.settings.firstStream, initial: nil)
    }

    mutating func requestTold(_ request: ClientRequest, from peer: ClientPeer, at now: Timestamp) {
        guard case .retry(let number, let job) = request else { return }
        guard let known = jobs[job] else { return }
        asked[peer.rawValue, number] = (known.accepted, newest[known.accepted.key] == job && known.isToRetry)
    }

    mutating func committed(tokens: [TokenColumns], records: [JournalRecord], at now: Timestamp) {
        guard isNeeded else { return }
        for record in records {
            switch record {
            case .accepted(let accepted):
                if let former = newest[accepted.key], let known = jobs[former], !known.isToRetry {
                    broken(at: now, "job \(accepted.job) took the key of job \(former), which did not fail")
                }
                jobs[accepted.job] = Known(accepted: accepted, unended: accepted.streams.count)
                newest[accepted.key] = accepted.job
                for stream in accepted.streams { jobOfStream[stream] = accepted.job }
            case .leased: break
            case .ended(let stream, let end, _):
                guard let job = jobOfStream[stream.rawValue] else { continue }
                jobs[job]?.unended -= 1
                if end.reason == .failed || end.reason == .expired { jobs[job]?.hasFailed = true }
            case .forgotten(let stream):
                guard let job = jobOfStream[stream.rawValue] else { continue }
                drop(job)
            }
        }
    }

    mutating func lost(_ loss: CoordinatorLoss, at now: Timestamp) {
        for accepted in loss.gone { drop(accepted.job) }
    }

    private mutating func drop(_ job: JobID) {
        guard let known = jobs.removeValue(forKey: job), newest[known.accepted.key] == job else { return }
        newest[known.accepted.key] = nil
    }

    mutating func sent(_ message: ClientMessage, to peer: ClientPeer, at now: Timestamp) {
        switch message {
        case .retried(let number, let job):
            guard let (former, isToRetry) = asked[peer.rawValue, number] else { return }
            check(job, instead: former, isToRetry, at: now)
        case .refused(let number, let error) where error.code == .invalidRequest:
            guard let (job, isToRetry) = asked[peer.rawValue, number], isToRetry else { return }
            broken(at: now, "job \(job.job) failed, and a retry was refused: \(error.message)")
        default: break
        }
    }

    private mutating func check(_ job: JobID, instead old: AcceptedRecord, _ isToRetry: Bool, at now: Timestamp) {
        guard isToRetry else { return broken(at: now, "job \(old.job) was tried again, which did not fail") }
        guard let new = jobs[job]?.accepted else {
            return broken(at: now, "the retry of job \(old.job) was answered with job \(job), which is not journaled")
        }
        var request = new.request
        // The first one may have been bound to the only model that there was.
        request.model = old.request.model
        guard new.key == old.key, new.choseSeed == old.choseSeed, request == old.request, newest[old.key] == job else {
            return broken(
                at: now,
                "job \(job) (key \(new.key), seed \(new.request.sampling.seed ?? 0)) is not what job \(old.job) was "
                    + "(key \(old.key), seed \(old.request.sampling.seed ?? 0))"
            )
        }
    }
}
