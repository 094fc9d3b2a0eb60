import ApusModel

/// One reader of one stream: what it was given, against what the stream is, and when.
struct ChaosFollower {
    /// A disturbance that the stream was running through.
    private struct Mark {
        let gap: String
        let began: ContinuousClock.Instant
        /// How long the disturbance itself kept everything standing.
        var excused = Duration.zero
        var longest = Duration.zero
        /// Whether everything was up again before the last token.
        var isOver = false
    }

    /// The job's key and the stream's choice: what messages name.
    let name: String

    /// The job's key.
    let key: String

    /// Whether the stream's tokens are journaled one by one.
    let isReleased: Bool

    /// Whether the job may die with its coordinator.
    let mayDie: Bool

    /// How often the coordinator had been killed when the reader began.
    let deaths: Int

    private let expected: ExpectedStream

    /// The index that comes next.
    private(set) var next: Int

    /// When something came last.
    private(set) var lastProgress: ContinuousClock.Instant

    private var lastToken: ContinuousClock.Instant?
    private var mark: Mark?

    /// Times in a row that workers died while the stream hardly went on between, and where it was at the last one.
    private var losses = (count: 0, index: 0)

    /// A stream that is so much further than at the last death is surely not taken for its cause.
    ///
    /// The coordinator gives one up whose third worker in a row dies at about the same token; some may be under way to the reader.
    private static let clearDistance = 64

    /// A reader that begins at an index.
    init(_ job: ChaosJob, choice: Int, from index: Int, deaths: Int, now: ContinuousClock.Instant) {
        name = "\(job.key)/\(choice)"
        key = job.key
        isReleased = job.request.durability != .accepted
        mayDie = job.mayDie
        self.deaths = deaths
        expected = job.streams[choice]
        next = index
        lastProgress = now
    }

    // MARK: What comes

    /// The reader begins anew: its process was killed, and another one takes its place.
    mutating func restart(from index: Int, now: ContinuousClock.Instant) {
        next = index
        losses.index = min(losses.index, index)
        lastProgress = now
    }

    /// Its job was accepted.
    mutating func accepted(now: ContinuousClock.Instant) { lastProgress = now }

    /// Tokens came.
    ///
    /// - Returns: What is wrong with them; `nil` where nothing is.
    mutating func take(
        _ ids: some Collection<Int32>,
        text: some Collection<UInt8>,
        from index: Int,
        now: ContinuousClock.Instant
    ) -> String? {
        if let lastToken, let mark { self.mark?.longest = max(mark.longest, lastToken.duration(to: now)) }
        lastToken = now
        lastProgress = now
        guard index == next else { return "\(name): index \(index) came instead of \(next)" }
        next += ids.count
        return expected.difference(ids, text: text, from: index).map { "\(name): \($0)" }
    }

    /// The stream ended.
    ///
    /// - Returns: What is wrong with its end; `nil` where nothing is.
    func endProblem(_ reason: String, tokens: Int) -> String? {
        if reason == expected.reason.rawValue, tokens == expected.count, next == expected.count { return nil }
        return "\(name): ended as \(reason) with \(tokens) tokens after \(next) of \(expected.count)"
    }

    // MARK: Gaps

    /// Whether so many more losses could make the stream look like the cause.
    func isFragile(against deaths: Int) -> Bool {
        losses.count + deaths >= 3 && next < losses.index + Self.clearDistance
    }

    /// Workers are about to die, and the stream may lose so many of them one after the other.
    mutating func workersDie(_ deaths: Int) {
        losses = ((next < losses.index + Self.clearDistance ? losses.count : 0) + deaths, next)
    }

    /// Something is about to be disturbed; a reader that waits for its first token, or whose stream stands, has no gap to show.
    mutating func begin(_ upset: Upset, now: ContinuousClock.Instant) {
        guard mark == nil, let lastToken, lastToken.duration(to: now) < .seconds(1) else { return }
        mark = Mark(gap: isReleased ? upset.title : "\(upset.title), not journaled", began: now)
    }

    /// Everything is up again.
    mutating func over(excusing excused: Duration) {
        mark?.isOver = true
        mark?.excused = excused
    }

    /// Whether tokens have yet to come after a disturbance; never of a stream that has to be computed again from its first token.
    var isAwaited: Bool { mark != nil && isReleased }

    /// The gap, once a token has come after everything was up again.
    ///
    /// - Returns: The disturbance's name and the longest pause around it; `nil` where there is none to report yet.
    mutating func takeGap() -> (name: String, gap: Duration)? {
        guard let mark, mark.isOver, let lastToken, lastToken > mark.began else { return nil }
        self.mark = nil
        return (mark.gap, max(.zero, mark.longest - mark.excused))
    }
}
