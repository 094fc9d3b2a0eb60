import ApusCore
import ApusModel

/// Nothing that a fenced attempt sends reaches the journal: each row and each end there was sent by the attempt's own worker,
/// under the attempt's own epoch.
struct FencingChecker: Checker {
    static let name = "stale epochs rejected"

    var violation: Violation?

    /// Rows of one attempt that were told since the last commit.
    private struct Told {
        var epoch: UInt32 = 0
        var worker = -1
        var first = 0
        var end = 0
    }

    /// What was first told of a stream since the last commit; plain numbers, which are read without counting a reference.
    private struct State {
        var commit = -1
        var rows = Told()
    }

    private var attempts: AttemptRegister
    private var states: PerStream<State>
    private var commit = 0

    /// Since the last commit: rows of streams that another attempt was told of first, and ends.
    private var others: [(stream: UInt64, told: Told)] = []
    private var ends: [(stream: UInt64, attempt: AttemptRegister.Attempt)] = []

    /// The number of the worker at each connection; -1 for none.
    private var workers: [Int] = []

    init(configuration: WorldConfiguration) {
        attempts = AttemptRegister(configuration: configuration)
        states = PerStream(from: configuration.settings.firstStream, initial: State())
    }

    mutating func reportTold(_ report: WorkerReport, from peer: WorkerPeer, at now: Timestamp) {
        switch report {
        case .register(let registration, _):
            let connection = Int(peer.rawValue)
            while workers.count <= connection { workers.append(-1) }
            workers[connection] = attempts.number(of: registration.name)
        case .step(let shared):
            guard !shared.value.tokens.isEmpty || !shared.value.ends.isEmpty, let worker = worker(at: peer) else {
                return
            }
            for row in 0..<shared.value.tokens.rows {
                let first = Int(clamping: shared.value.tokens.firstIndexes[row])
                note(
                    Told(
                        epoch: shared.value.tokens.epochs[row],
                        worker: worker,
                        first: first,
                        end: first + Int(shared.value.tokens.counts[row])
                    ),
                    of: shared.value.tokens.streams[row]
                )
            }
            for end in shared.value.ends {
                ends.append((end.stream.rawValue, AttemptRegister.Attempt(epoch: end.epoch.rawValue, worker: worker)))
            }
        case .leave, .bye: break
        }
    }

    mutating func committed(tokens: [TokenColumns], records: [JournalRecord], at now: Timestamp) {
        for place in tokens.indices {
            for row in 0..<tokens[place].rows {
                let first = Int(tokens[place].firstIndexes[row])
                check(
                    first..<first + Int(tokens[place].counts[row]),
                    of: tokens[place].streams[row],
                    under: tokens[place].epochs[row],
                    at: now
                )
            }
        }
        for record in records {
            switch record {
            case .ended(let stream, let end, _) where end.reason.isSuccess: check(end, of: stream, at: now)
            case .leased(let lease): attempts.leased(lease)
            case .accepted, .ended, .forgotten: break
            }
        }
        beginCommit()
    }

    mutating func coordinatorDied(at now: Timestamp) {
        beginCommit()
        workers.removeAll()
    }

    private mutating func beginCommit() {
        commit += 1
        if !others.isEmpty { others.removeAll(keepingCapacity: true) }
        if !ends.isEmpty { ends.removeAll(keepingCapacity: true) }
    }

    @inline(__always)
    private func worker(at peer: WorkerPeer) -> Int? {
        guard peer.rawValue < UInt64(workers.count) else { return nil }
        let worker = workers[Int(peer.rawValue)]
        return worker < 0 ? nil : worker
    }

    private mutating func note(_ told: Told, of stream: UInt64) {
        let state = states[stream]
        if state.commit != commit {
            states[stream] = State(commit: commit, rows: told)
        } else if state.rows.epoch == told.epoch, state.rows.worker == told.worker {
            states[stream].rows.first = min(state.rows.first, told.first)
            states[stream].rows.end = max(state.rows.end, told.end)
        } else {
            others.append((stream, told))
        }
    }

    @inline(__always)
    private mutating func check(_ range: Range<Int>, of stream: UInt64, under epoch: UInt32, at now: Timestamp) {
        let (first, end) = (range.lowerBound, range.upperBound)
        let current = attempts.streams[stream]
        let attempt = epoch == current.hedge.epoch ? current.hedge : current.accepting
        guard attempt.epoch == epoch else {
            broken(
                at: now,
                "index \(first) of stream \(stream) came under epoch \(epoch) into the journal, where \(attempt.epoch) counts"
            )
            return
        }
        if epoch == current.hedge.epoch { attempts.overtook(stream) }
        let state = states[stream]
        guard state.commit == commit else {
            broken(at: now, "index \(first) of stream \(stream) came into the journal, and no worker sent it")
            return
        }
        let isTold = { (told: Told) in
            told.epoch == epoch && told.worker == attempt.worker && told.first <= first && end <= told.end
        }
        guard !isTold(state.rows), !others.contains(where: { $0.stream == stream && isTold($0.told) }) else { return }
        broken(
            at: now,
            "indexes \(first)..<\(end) of stream \(stream) came into the journal under epoch \(epoch), "
                + "whose worker did not send them"
        )
    }

    private mutating func check(_ end: StreamEnd, of stream: StreamID, at now: Timestamp) {
        let current = attempts.streams[stream.rawValue]
        let isTold = ends.contains { told in
            told.stream == stream.rawValue
                && (told.attempt == current.accepting || told.attempt == current.hedge)
        }
        guard !isTold else { return }
        broken(
            at: now,
            "stream \(stream) ended with \(end.reason.rawValue), which the worker of epoch \(current.accepting.epoch) did not say"
        )
    }
}
