import ApusCore
import ApusModel

/// What a job asked for holds over all attempts and restarts: its length, its deadline, and every parameter that its output
/// depends on.
struct LimitChecker: Checker {
    static let name = "limits and deadlines kept across failovers"

    /// How late after a tick an expired stream may end: a turn's own time.
    static let slack = Duration.milliseconds(50)

    var violation: Violation?

    private struct State {
        /// The job's place in the world; -1 before it is accepted.
        var job = -1
        var maximum = Int.max
        var next = 0
        var deadline = Timestamp.distantFuture
    }

    private let truth: Truth
    private let settings: CoordinatorSettings
    private var streams: PerStream<State>
    private var requests: PerStream<GenerationRequest?>

    /// The moment of the turn before the one that is being decided or committed.
    private var lastTurn = Timestamp.zero
    private var thisTurn = Timestamp.zero

    init(truth: Truth, configuration: WorldConfiguration) {
        self.truth = truth
        settings = configuration.settings
        streams = PerStream(from: configuration.settings.firstStream, initial: State())
        requests = PerStream(from: configuration.settings.firstStream, initial: nil)
    }

    mutating func turnDecided(
        _ turn: borrowing Turn,
        by machine: borrowing CoordinatorMachine,
        at now: Timestamp
    ) {
        lastTurn = thisTurn
        thisTurn = now
    }

    /// What the dead one decided last may never have been journaled; its successor is as quick as one that just began.
    mutating func coordinatorDied(at now: Timestamp) {
        lastTurn = .zero
        thisTurn = .zero
    }

    mutating func committed(tokens: [TokenColumns], records: [JournalRecord], at now: Timestamp) {
        for place in tokens.indices {
            for row in 0..<tokens[place].rows {
                let stream = tokens[place].streams[row]
                let end = Int(tokens[place].firstIndexes[row]) + Int(tokens[place].counts[row])
                streams[stream].next = end
                if end > streams[stream].maximum {
                    broken(at: now, "stream \(stream) got \(end) tokens, its limit is \(streams[stream].maximum)")
                }
            }
        }
        for record in records {
            switch record {
            case .accepted(let accepted): self.accepted(accepted, at: now)
            case .leased(let lease):
                let deadline = streams[lease.stream.rawValue].deadline
                if lease.leasedAt >= deadline {
                    broken(
                        at: now,
                        "stream \(lease.stream) was leased \((lease.leasedAt - deadline).inSeconds) s after its deadline"
                    )
                }
            case .ended(let stream, let end, let moment): ended(stream, end, at: moment, now)
            case .forgotten(let stream): requests[stream.rawValue] = nil
            }
        }
    }

    mutating func sent(_ message: WorkerMessage, to peer: WorkerPeer, at now: Timestamp) {
        guard case .assign(let stream, let epoch, let request, let history, let limit) = message,
            let accepted = requests[stream.rawValue]
        else { return }
        let isEqual =
            request.maximumTokens == accepted.maximumTokens && request.sampling == accepted.sampling
            && request.stop == accepted.stop && request.isRaw == accepted.isRaw
            && request.ignoresEndOfGeneration == accepted.ignoresEndOfGeneration && request.prompt == accepted.prompt
            && request.messages == accepted.messages && request.choices == accepted.choices
        if !isEqual {
            broken(
                at: now,
                "attempt \(epoch) of stream \(stream) got another request than was accepted (max_tokens "
                    + "\(request.maximumTokens), accepted \(accepted.maximumTokens); seed \(request.sampling.seed ?? 0), accepted "
                    + "\(accepted.sampling.seed ?? 0))"
            )
        }
        if history.count > accepted.maximumTokens || limit < history.count && limit < 0 {
            broken(at: now, "attempt \(epoch) of stream \(stream) begins with \(history.count) tokens")
        }
    }

    private mutating func accepted(_ record: AcceptedRecord, at now: Timestamp) {
        let stream = record.stream.rawValue
        let place = JobSpec.place(of: record.request)
        guard truth.jobs.indices.contains(place) else {
            broken(at: now, "stream \(stream) was accepted for a job that nobody submitted")
            return
        }
        let asked = truth.jobs[place].request
        let time = min(asked.deadline ?? settings.defaultDeadline, settings.longestDeadline)
        for choice in 0..<asked.choices {
            let sibling = stream + UInt64(choice)
            streams[sibling] = State(
                job: place,
                maximum: asked.maximumTokens,
                deadline: record.acceptedAt + time
            )
            // What a worker gets is one stream, with a seed of its own.
            var request = record.request
            request.choices = 1
            request.sampling.seed = record.request.sampling.seed.map { Truth.seed($0, ofChoice: choice) }
            requests[sibling] = request
        }
        let isSameSeed = asked.sampling.seed == nil || asked.sampling.seed == record.request.sampling.seed
        if record.request.maximumTokens != asked.maximumTokens || record.request.deadline != time || !isSameSeed
            || record.request.choices != asked.choices
        {
            broken(at: now, "stream \(stream) was accepted with other limits than job \(place) asked for")
        }
    }

    private mutating func ended(_ stream: StreamID, _ end: StreamEnd, at moment: Timestamp, _ now: Timestamp) {
        let state = streams[stream.rawValue]
        guard state.job >= 0 else { return }
        let job = truth.jobs[state.job]
        switch end.reason {
        case .length:
            if state.next != state.maximum {
                broken(at: now, "stream \(stream) ended with `length` at \(state.next) of \(state.maximum) tokens")
            }
        case .stop:
            if state.next != job.naturalLength {
                broken(
                    at: now,
                    "stream \(stream) ended with `stop` at \(state.next) tokens, not at \(job.naturalLength)"
                )
            }
        case .expired:
            if moment < state.deadline {
                broken(at: now, "stream \(stream) expired \((state.deadline - moment).inSeconds) s before its deadline")
            }
        case .cancelled, .failed: break
        }
        // A coordinator that did nothing meanwhile could not end it earlier.
        let latest = state.deadline + settings.tickInterval + Self.slack
        if moment > latest, lastTurn > latest {
            broken(
                at: now,
                "stream \(stream) went on until \((moment - state.deadline).inSeconds) s after its deadline"
            )
        }
    }
}
