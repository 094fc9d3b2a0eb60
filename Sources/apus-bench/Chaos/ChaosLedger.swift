import ApusClient
import ApusModel
import Synchronization

/// What all readers of a chaos run were given: counts, gaps, and whatever broke a promise.
///
/// Isolation: updates come on the clients' threads, and from tasks; all of it may be read from anywhere.
final class ChaosLedger: Sendable {
    /// What a run adds up to.
    struct Totals: Sendable {
        /// Jobs that were accepted.
        var accepted = 0
        /// Jobs that ended at one reader or more.
        var ended = 0
        /// Jobs of the durability `none` that died with their coordinator.
        var died = 0
        /// Streams that were read to their ends.
        var streams = 0
        /// Tokens that came, each compared with the true sequence.
        var tokens = 0
        /// Jobs that were submitted again under their keys, or attached to.
        var repeats = 0
        /// Tokens that were lost, repeated or changed; streams that ended wrong.
        var wrong = 0
        /// Streams that stood still although everything was up.
        var stuck = 0
        /// Times in milliseconds that readers waited, by what was done.
        var gaps: [String: [Double]] = [:]
        /// What broke a promise, at most 20 lines.
        var violations: [String] = []
    }

    fileprivate struct Acceptance {
        var job: String
        var hasEnded = false
    }

    fileprivate struct State {
        var totals = Totals()
        var followers: [Int: ChaosFollower] = [:]
        var number = 0
        var jobs: [String: Acceptance] = [:]
        /// Keys of jobs that were over before their acceptance was told here.
        var early: Set<String> = []
        var deaths = 0
        var isClosing = false
        var isAborted = false
        /// How often somebody waited.
        var turn = 0
        /// Who waits for the next acceptance or token.
        var waiter: (isForAcceptance: Bool, continuation: CheckedContinuation<Void, Never>)?
    }

    private let state = Mutex(State())

    /// What came so far.
    var totals: Totals { state.withLock { $0.totals } }

    /// Whether no further job is to be submitted.
    var isClosing: Bool { state.withLock { $0.isClosing } }

    /// Whether the run is given up: whatever fails now fails for that.
    var isAborted: Bool { state.withLock { $0.isAborted } }

    /// Streams that are read now.
    var open: Int { state.withLock { $0.followers.count } }

    // MARK: Readers

    /// A reader begins.
    ///
    /// - Returns: Its number.
    func open(_ job: ChaosJob, choice: Int, from index: Int = 0) -> Int {
        state.withLock { state in
            state.number += 1
            state.followers[state.number] = ChaosFollower(
                job,
                choice: choice,
                from: index,
                deaths: state.deaths,
                now: .now
            )
            return state.number
        }
    }

    /// A reader begins anew from an index.
    func restart(_ follower: Int, from index: Int) {
        state.withLock { $0.followers[follower]?.restart(from: index, now: .now) }
    }

    /// The index that a reader waits for; `nil` once its stream is over.
    func nextIndex(of follower: Int) -> Int? { state.withLock { $0.followers[follower]?.next } }

    /// The name of the job with a key; `nil` before it was accepted.
    func job(of key: String) -> String? { state.withLock { $0.jobs[key]?.job } }

    /// A reader gives up, as its job could not be submitted.
    func close(_ follower: Int) { state.withLock { _ = $0.followers.removeValue(forKey: follower) } }

    /// A job was accepted, for the first time or again; the same key is to give the same job, unless it may die.
    func accepted(_ key: String, job: String, mayDie: Bool, followers: [Int]) {
        let waiter = state.withLock { state in
            for follower in followers { state.followers[follower]?.accepted(now: .now) }
            if let known = state.jobs[key] {
                state.totals.repeats += 1
                if known.job != job, !mayDie {
                    state.violate("\(key): submitted again, it is job \(job) instead of \(known.job)")
                }
            } else {
                state.totals.accepted += 1
                state.jobs[key] = Acceptance(job: job, hasEnded: state.early.remove(key) != nil)
            }
            return state.takeWaiter(isForAcceptance: true)
        }
        waiter?.resume()
    }

    /// Tokens came to a reader.
    func take(_ follower: Int, _ ids: some Collection<Int32>, text: some Collection<UInt8>, from index: Int) {
        let now = ContinuousClock.now
        let waiter: CheckedContinuation<Void, Never>? = state.withLock { state in
            state.totals.tokens += ids.count
            // In place: the reader would be copied otherwise, once a message.
            if let problem = state.followers[follower]?.take(ids, text: text, from: index, now: now) {
                state.totals.wrong += 1
                state.violate(problem)
            }
            if let gap = state.followers[follower]?.takeGap() { state.totals.add(gap) }
            return state.takeWaiter(isForAcceptance: false)
        }
        waiter?.resume()
    }

    /// A stream ended, as its coordinator says.
    func ended(_ follower: Int, reason: String, tokens: Int, error: String? = nil) {
        state.withLock { state in
            guard let reader = state.end(follower) else { return }
            state.totals.streams += 1
            if state.endJob(reader.key) { state.totals.ended += 1 }
            if let problem = reader.endProblem(reason, tokens: tokens) {
                state.totals.wrong += 1
                state.violate(problem + (error.map { ": \($0)" } ?? ""))
            }
        }
    }

    /// A stream could not be followed; only a job that may die with its coordinator may do so.
    func failed(_ follower: Int, _ error: String, isNotFound: Bool = false) {
        state.withLock { state in
            guard let reader = state.end(follower), !state.isAborted else { return }
            if reader.mayDie, isNotFound, state.deaths > reader.deaths {
                if state.endJob(reader.key) { state.totals.died += 1 }
            } else {
                state.violate("\(reader.name): \(error) after \(reader.next) tokens")
            }
        }
    }

    /// Something broke a promise.
    func violate(_ text: String) { state.withLock { $0.violate(text) } }

    // MARK: Disturbances

    /// Something is about to be done.
    ///
    /// - Parameters:
    ///   - upset: What.
    ///   - isConcerned: Whether it concerns a reader, by its number and its stream's name.
    func begin(_ upset: Upset, concerning isConcerned: (Int, String) -> Bool) {
        state.withLock { state in
            if upset.killsCoordinator { state.deaths += 1 }
            if upset.workerDeaths > 0 {
                for number in state.followers.keys { state.followers[number]?.workersDie(upset.workerDeaths) }
            }
            for (number, follower) in state.followers where isConcerned(number, follower.name) {
                state.followers[number]?.begin(upset, now: .now)
            }
        }
    }

    /// Everything is up again, after a time in which it could not be.
    func over(excusing excused: Duration) {
        state.withLock { state in
            for number in state.followers.keys { state.followers[number]?.over(excusing: excused) }
        }
    }

    /// Streams that ran before and have brought nothing since everything is up again.
    var awaited: Int { state.withLock { $0.followers.values.count(where: \.isAwaited) } }

    /// Streams that a disturbance could make look like the cause of their workers' deaths, so soon after the last one.
    func fragile(against upset: Upset) -> Int {
        let deaths = upset.workerDeaths
        guard deaths > 0 else { return 0 }
        return state.withLock { $0.followers.values.count { $0.isFragile(against: deaths) } }
    }

    /// Streams that nothing came of since a moment, by name.
    func silent(since moment: ContinuousClock.Instant) -> [String] {
        state.withLock { state in
            state.followers.values.filter { $0.lastProgress < moment }.map(\.name).sorted()
        }
    }

    /// Streams stand still although everything is up: counts them and gives the run up.
    func stuck(_ names: [String], for time: Duration) {
        state.withLock { state in
            state.totals.stuck += names.count
            let some = names.prefix(5).joined(separator: ", ")
            state.violate("nothing came for \(time) of \(names.count) streams: \(some)")
        }
    }

    /// Waits for the next acceptance, or for the next tokens, but not for long.
    func waitForEvent(isForAcceptance: Bool, atMost time: Duration) async {
        await withCheckedContinuation { continuation in
            let turn = state.withLock { state in
                state.turn += 1
                state.waiter = (isForAcceptance, continuation)
                return state.turn
            }
            Task {
                // The sleep ends early with the run, which needs no wait any more.
                try? await Task.sleep(for: time)
                wake(turn)
            }
        }
    }

    private func wake(_ turn: Int) {
        let waiter = state.withLock { $0.turn == turn ? $0.waiter.take() : nil }
        waiter?.continuation.resume()
    }

    // MARK: The end

    /// No further job is to be submitted.
    func beginClosing() { state.withLock { $0.isClosing = true } }

    /// The run is given up.
    func abort() {
        state.withLock { state in
            state.isClosing = true
            state.isAborted = true
        }
    }

    /// Every stream that was read is over: jobs that were accepted and never ended are lost.
    ///
    /// - Returns: Their keys.
    func lostJobs() -> [String] {
        state.withLock { state in state.jobs.filter { !$0.value.hasEnded }.map(\.key).sorted() }
    }
}

extension ChaosLedger.State {
    fileprivate mutating func violate(_ text: String) {
        if totals.violations.count < 20, !isAborted { totals.violations.append(text) }
    }

    /// Notes that a job is over.
    ///
    /// - Returns: Whether that was new.
    fileprivate mutating func endJob(_ key: String) -> Bool {
        guard let job = jobs[key] else { return early.insert(key).inserted }
        jobs[key]?.hasEnded = true
        return !job.hasEnded
    }

    fileprivate mutating func takeWaiter(isForAcceptance: Bool) -> CheckedContinuation<Void, Never>? {
        guard let waiting = waiter, waiting.isForAcceptance == isForAcceptance else { return nil }
        waiter = nil
        return waiting.continuation
    }

    /// Takes a reader out; a stream that ended before it went on after a disturbance has no gap to show.
    fileprivate mutating func end(_ follower: Int) -> ChaosFollower? { followers.removeValue(forKey: follower) }
}

extension ChaosLedger.Totals {
    fileprivate mutating func add(_ gap: (name: String, gap: Duration)) {
        gaps[gap.name, default: []].append(gap.gap.milliseconds)
    }
}
