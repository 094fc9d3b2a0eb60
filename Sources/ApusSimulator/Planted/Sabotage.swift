import ApusCore
import ApusModel

/// Does what a planted bug does, at the places where the world's coordinator asks it.
struct Sabotage {
    /// A step of a turn's performance.
    enum Stage {
        /// Sends the effects that `isHasty` names.
        case hasty
        case commit, tokens, effects, acknowledgements, revocations
    }

    /// The right order.
    static let order: [Stage] = [.commit, .tokens, .effects, .acknowledgements, .revocations]

    let bug: PlantedBug

    /// Counts the occasions for the bug.
    var occasions = 0

    /// Who runs the last attempt of each stream that the journal has.
    var holders: [StreamID: (epoch: Epoch, peer: WorkerPeer)] = [:]

    /// The seed of each stream's job, and the keys that were accepted.
    var jobSeeds: [StreamID: UInt64] = [:]
    var keys: Set<String> = []

    /// The journal with all that a coordinator's death has taken since.
    var snapshot: [SimulatedBatch] = []

    init(_ bug: PlantedBug) {
        self.bug = bug
    }

    /// Whether it is one occasion in so many.
    mutating func isDue(every interval: Int) -> Bool {
        occasions += 1
        return occasions.isMultiple(of: interval)
    }
}

// MARK: - Time and facts

extension Sabotage {
    /// What the machine is told as the present moment.
    func moment(_ now: Timestamp, wallOffset: Int64) -> Timestamp {
        bug == .wallClock ? Timestamp(nanoseconds: max(0, now.nanoseconds + wallOffset)) : now
    }

    /// Whether the machine learns that a turn begins, and that time passes.
    var beginsTurns: Bool { bug != .lagNotExcused }
    var looksAtTime: Bool { bug != .timeIgnored }

    /// Whether lost connections of workers are told as good-byes.
    var forgivesLosses: Bool { bug == .lossForgiven }

    /// What is told instead of a worker's message, and as whose.
    mutating func told(_ report: WorkerReport, from peer: WorkerPeer) -> [(WorkerReport, WorkerPeer)] {
        if bug == .refusalIgnored, case .step(let shared) = report, shared.value.load.isRefusing {
            var step = shared.value
            step.load.isRefusing = false
            return [(.step(Shared(step)), peer)]
        }
        guard bug == .staleRowsTaken || bug == .staleEndsTaken, case .step(let shared) = report else {
            return [(report, peer)]
        }
        var step = shared.value
        var others: [(WorkerReport, WorkerPeer)] = []
        if bug == .staleRowsTaken, step.tokens.epochs.count == step.tokens.rows, step.tokens.isValid {
            var token = 0
            var byte = 0
            for row in 0..<step.tokens.rows {
                let run = TokenPart(step.tokens, row: row, token: token, byte: byte)
                token = run.tokens.upperBound
                byte = run.bytes.upperBound
                guard let holder = holders[StreamID(rawValue: step.tokens.streams[row])],
                    holder.epoch.rawValue > step.tokens.epochs[row]
                else { continue }
                let columns = run.columns(of: step.tokens, row: row, epoch: holder.epoch.rawValue)
                let fake = StepReport(progress: step.progress, isBusy: true, load: step.load, tokens: columns)
                others.append((.step(Shared(fake)), holder.peer))
            }
        }
        if bug == .staleEndsTaken {
            for place in step.ends.indices {
                guard let holder = holders[step.ends[place].stream], holder.epoch > step.ends[place].epoch else {
                    continue
                }
                var end = step.ends[place]
                end.epoch = holder.epoch
                // An index would give it away: the present attempt's tokens end elsewhere.
                end.endIndex = nil
                step.ends[place].epoch = .none
                let fake = StepReport(progress: step.progress, isBusy: true, load: step.load, ends: [end])
                others.append((.step(Shared(fake)), holder.peer))
            }
        }
        return [(.step(Shared(step)), peer)] + others
    }

    /// What is told instead of a client's request; `nil` for nothing.
    mutating func told(_ request: ClientRequest) -> ClientRequest? {
        switch (bug, request) {
        case (.resumedOneLate, .attach(let number, let job, let key, let choice, let from, let credit)) where from > 0:
            return .attach(number: number, job: job, key: key, choice: choice, from: from + 1, credit: credit)
        case (.resumedOneEarly, .attach(let number, let job, let key, let choice, let from, let credit)) where from > 0:
            return .attach(number: number, job: job, key: key, choice: choice, from: from - 1, credit: credit)
        case (.siblingsForgotten, .submit(let number, let key, _, let credit)) where keys.contains(key):
            return .attach(number: number, job: nil, key: key, choice: 0, from: 0, credit: credit)
        case (.creditForgotten, .credit):
            return isDue(every: 4) ? nil : request
        case (.creditInvented, .submit(let number, let key, let generation, let credit)):
            return .submit(number: number, key: key, generation, credit: credit + 16)
        case (.creditInvented, .credit(let streams, let limits)):
            return .credit(streams: streams, limits: limits.map { $0 + 16 })
        case (.keyForgotten, .submit(let number, let key, let generation, let credit)):
            let wrong = isDue(every: 4) ? "\(key)+\(occasions)" : key
            return .submit(number: number, key: wrong, generation, credit: credit)
        default: return request
        }
    }

    /// Whether jobs that ended are looked for in the journal.
    var findsEnded: Bool { bug != .endedNotRecalled }

    /// The key that is looked for instead of another one.
    func sought(_ key: String) -> String {
        bug == .recalledAnother ? keys.filter { $0 != key }.min() ?? key : key
    }

    /// How long what ended is kept.
    func retention(_ time: Duration) -> Duration { bug == .forgottenEarly ? .zero : time }

    /// What is tried again instead of a job.
    func retried(_ accepted: AcceptedRecord) -> AcceptedRecord {
        var accepted = accepted
        if bug == .retryReseeded { accepted.request.sampling.seed? &+= 1 }
        return accepted
    }

    /// The coordinator is dead; what its jobs asked not to be kept is about to go.
    mutating func remembers(_ journal: [SimulatedBatch]) {
        if bug == .tokensTrusted { snapshot = journal }
    }

    /// Whether a request is answered and not told.
    func ignores(_ request: ClientRequest) -> UInt64? {
        if bug == .cancelIgnored, case .cancel(let number, _) = request { number } else { nil }
    }

    /// The name under which a request counts.
    mutating func name(for request: ClientRequest) -> String? {
        guard bug == .shareEvaded, case .submit = request else { return nil }
        occasions += 1
        return "somebody \(occasions)"
    }
}
