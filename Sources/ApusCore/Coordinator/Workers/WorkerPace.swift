import ApusModel

/// What a worker's own reports say about its speed, and whether it is slow against its own history.
///
/// The cost of a pass is thought to be a step time that depends on the batch plus a time for each prefilled token. Both are learned
/// from reports between which the worker was busy all the time. Each such stretch is compared with what it should have taken: a
/// larger batch or a long prompt takes longer and is expected to, while a worker that suddenly crawls is not. A batch size that was
/// never seen is thought to cost at most as much more as it is larger; so a batch that grows never looks slow.
///
/// Reports come from a peer: counters that run backwards or leap only end the stretch, and no number traps. A value holds no memory
/// of its own; times are held in nanoseconds as 32-bit fractions, which is precise to a tenth of a millionth.
struct WorkerPace: Sendable {
    /// A worker is slow when its passes take this many times what they should.
    static let slowFactor: Float = 5

    /// A worker is slow no longer when its passes take less than this many times what they should.
    static let normalFactor: Float = 2

    /// Busy time over which a worker must be slow to count as slow, and normal to count as normal again.
    static let patience: Float = 500e6

    /// Passes shorter than this are never slow: what goes wrong with them is noise.
    static let slowFloor: Float = 20e6

    /// A slow worker that had nothing to do for so long is slow no longer: only work can show whether it still is.
    static let rest: Duration = .seconds(1)

    /// What a pass of one row is thought to take before anything is known: short, so that a new worker is tried.
    static let unknownStep: Float = 10e6

    /// A prefilled token is thought to cost this part of a pass of one row before one was measured.
    static let unknownPrefillPart: Float = 1 / 16

    /// Tokens that a pass prefills, as far as passes of prefill are told from passes of decoding.
    static let chunk: UInt64 = 128

    // A stretch is judged once it is this long, so that brief steps are judged many at a time.
    private static let shortestStretch: Int64 = 1_000_000
    // What a stretch may weigh in "recently", so that one long pass alone decides nothing.
    private static let heaviest: Float = 200e6
    private static let recent: Float = 250e6
    // Learned times stay in these bounds: 100 ns and 1,000 s.
    private static let shortest: Float = 100
    private static let longest: Float = 1e12
    // Counters that leap further within a stretch are nonsense.
    private static let mostSteps: UInt64 = 1 << 24
    private static let mostTokens: UInt64 = 1 << 24

    // By batch size: 1, 2, 3-4, 5-8, ...; 0 where nothing is known.
    private var steps = SIMD16<Float>(repeating: 0)
    private var prefill: Float = 0
    private var announced: Float = 0

    // The present stretch; none between a report that is not busy and the next one that shows progress.
    private var start: Timestamp?
    private var startProgress: UInt64 = 0
    private var startPrefilled: UInt64 = 0
    private var lastProgress: UInt64 = 0
    private var excusedTime: Int64 = 0
    private var isCatchingUp = false

    // Since when it has had nothing to do.
    private var idleSince: Timestamp?

    // What recent stretches took, what they should have taken, and their passes; older ones fade.
    private var actual: Float = 0
    private var expected: Float = 0
    private var passes: Float = 0
    private var slowFor: Float = 0
    private var normalFor: Float = 0

    /// Whether the worker is slow against its own history.
    private(set) var isSlow = false

    /// Whether any of its steps has been measured.
    var isMeasured: Bool { steps != SIMD16(repeating: 0) }

    /// Nothing is known.
    init() {}

    /// What recent passes took, as a multiple of what they should have taken; 1 while nothing is known.
    var slowness: Double { expected > 0 ? Double(actual / expected) : 1 }

    /// The expected time of a pass of `batch` rows, in nanoseconds, at the worker's present speed.
    @inline(__always)
    func stepNanoseconds(batch: Int) -> Double {
        Double(stepEstimate(bucket: Self.bucket(of: batch))) * presentFactor
    }

    /// The expected time to prefill a token, in nanoseconds, at the worker's present speed.
    @inline(__always)
    var prefillNanoseconds: Double { Double(prefillEstimate) * presentFactor }

    /// The expected time of a pass of `batch` rows, at the worker's present speed.
    func stepTime(batch: Int) -> Duration { .nanoseconds(Int64(min(stepNanoseconds(batch: batch), 1e17))) }

    /// The expected time to prefill `tokens`, at the worker's present speed.
    func prefillTime(tokens: Int) -> Duration {
        .nanoseconds(Int64(min(Double(max(tokens, 0)) * prefillNanoseconds, 1e17)))
    }

    /// A worker reported how far it is.
    ///
    /// - Parameters:
    ///   - progress: Engine passes so far.
    ///   - prefilledTokens: Tokens that the engine has prefilled so far.
    ///   - batchSize: Rows of the last decoding pass; 0 where there was none.
    ///   - stepTime: What the worker itself expects of a pass; counts only until one is measured.
    ///   - isBusy: Whether it has work to go on with.
    ///   - now: When the report came.
    mutating func observed(
        progress: UInt64,
        prefilledTokens: UInt64,
        batchSize: Int,
        stepTime: Duration = .zero,
        isBusy: Bool,
        at now: Timestamp
    ) {
        if steps[0] == 0, stepTime > .zero { announced = Self.bounded(Float(stepTime.nanoseconds)) }
        let hasMoved = progress != lastProgress
        lastProgress = progress
        noteIdleness(isBusy: isBusy, at: now)
        guard let start else {
            if isBusy, hasMoved { begin(progress, prefilledTokens, at: now) }
            return
        }
        let isSane =
            progress >= startProgress && prefilledTokens >= startPrefilled
            && progress - startProgress <= Self.mostSteps && prefilledTokens - startPrefilled <= Self.mostTokens
            && now >= start
        guard isBusy, isSane else {
            self.start = nil
            isCatchingUp = false
            return
        }
        // Reports that waited while the coordinator stood still come all at once; only the last of them begins a stretch.
        if isCatchingUp, now == start { return begin(progress, prefilledTokens, at: now, isCatchingUp: true) }
        let (elapsed, overflow) = now.nanoseconds.subtractingReportingOverflow(start.nanoseconds)
        guard hasMoved, !overflow, elapsed >= Self.shortestStretch else { return }
        guard excusedTime <= elapsed / 2 else {
            return begin(progress, prefilledTokens, at: now, isCatchingUp: true)
        }
        judge(
            elapsed: Float(elapsed - excusedTime),
            passes: progress - startProgress,
            tokens: prefilledTokens - startPrefilled,
            batch: batchSize
        )
        begin(progress, prefilledTokens, at: now)
    }

    private mutating func noteIdleness(isBusy: Bool, at now: Timestamp) {
        guard !isBusy else {
            idleSince = nil
            return
        }
        guard let since = idleSince else {
            idleSince = now
            return
        }
        guard isSlow, now - since >= Self.rest else { return }
        isSlow = false
        slowFor = 0
        normalFor = 0
        actual = 0
        expected = 0
        passes = 0
    }

    /// The coordinator itself stood still: the time does not count against the worker.
    ///
    /// - Parameter lag: How long, since the worker's last report.
    mutating func excused(_ lag: Duration) {
        guard lag > .zero else { return }
        let (sum, overflow) = excusedTime.addingReportingOverflow(lag.nanoseconds)
        excusedTime = overflow ? .max : sum
    }

    private mutating func begin(
        _ progress: UInt64,
        _ prefilledTokens: UInt64,
        at now: Timestamp,
        isCatchingUp: Bool = false
    ) {
        // A stretch that began while the coordinator's lag was not over is treated like one after it.
        self.isCatchingUp = isCatchingUp || (start == nil && excusedTime > 0)
        start = now
        startProgress = progress
        startPrefilled = prefilledTokens
        excusedTime = 0
    }

    /// Compares a stretch with what it should have taken, and learns from it.
    private mutating func judge(elapsed: Float, passes: UInt64, tokens: UInt64, batch: Int) {
        let bucket = Self.bucket(of: batch)
        // A pass may prefill, decode or do both; at least one of them decoded where there are rows.
        let chunks = (tokens + Self.chunk - 1) / Self.chunk
        let decodes: Float = batch <= 0 ? 0 : passes > chunks ? Float(passes - chunks) : 1
        let passes = Float(passes)
        let tokens = Float(tokens)
        let step = stepEstimate(bucket: bucket)
        let stepShare = decodes * step
        let prefillShare = tokens * prefillEstimate
        let due = stepShare + prefillShare
        guard due > 0 else { return }
        let isKnown = (decodes == 0 || steps != SIMD16(repeating: 0)) && (tokens == 0 || prefill > 0)
        let isEstimate = decodes > 0 && steps[bucket] == 0
        let ratio = isKnown ? elapsed / due : 1
        let weight = weight(elapsed: elapsed, ratio: ratio)
        // What dominates the stretch is what the stretch says most about.
        if prefillShare > stepShare || decodes == 0 || (tokens > 0 && prefill == 0) {
            let measured = Self.bounded(max(elapsed - stepShare, elapsed / 8) / tokens)
            prefill = prefill == 0 ? measured : Self.bounded(prefill + (measured - prefill) * weight)
        } else {
            let measured = Self.bounded(max(elapsed - prefillShare, elapsed / 8) / decodes)
            let isFirst = isEstimate && ratio < Self.slowFactor
            // A batch that is first seen while the worker crawls must not make its crawling the norm.
            steps[bucket] =
                isFirst
                ? Self.bounded(measured / Float(presentFactor)) : Self.bounded(step + (measured - step) * weight)
        }
        // An estimate is generous: more than that is slow, less proves nothing.
        guard isKnown, !isEstimate || ratio >= Self.slowFactor else { return }
        note(elapsed: elapsed, due: due, passes: passes)
    }

    private mutating func note(elapsed: Float, due: Float, passes: Float) {
        let weight = min(elapsed, Self.heaviest)
        let scale = weight / elapsed
        let kept = max(0, 1 - weight / Self.recent)
        actual = actual * kept + weight
        expected = expected * kept + due * scale
        self.passes = self.passes * kept + passes * scale
        let ratio = actual / expected
        if ratio >= Self.slowFactor, actual >= Self.slowFloor * self.passes {
            slowFor = min(slowFor + weight, Self.patience)
            normalFor = 0
        } else if ratio < Self.normalFactor {
            normalFor = min(normalFor + weight, Self.patience)
            if !isSlow || normalFor >= Self.patience { slowFor = 0 }
        } else {
            normalFor = 0
        }
        isSlow = isSlow ? slowFor > 0 : slowFor >= Self.patience
    }

    /// How much of what a stretch says is believed.
    ///
    /// Normal ones count by number, slow ones by their time and little each, so that a lasting change becomes the norm after
    /// minutes. While the worker crawls, its faster passes don't make the norm either.
    private func weight(elapsed: Float, ratio: Float) -> Float {
        let isNormal = ratio < Self.normalFactor && presentFactor == 1
        return isNormal ? 1 / 8 : min(1 / 64, elapsed / 120e9)
    }

    /// A present slowness counts for predictions, ordinary variation does not.
    @inline(__always)
    private var presentFactor: Double {
        expected > 0 && actual >= expected * Self.normalFactor ? Double(actual / expected) : 1
    }

    @inline(__always)
    private var prefillEstimate: Float {
        prefill > 0 ? prefill : max(Self.shortest, stepEstimate(bucket: 0) * Self.unknownPrefillPart)
    }

    /// The time of a pass whose batch falls into a bucket: learned, or estimated from the nearest that is.
    @inline(__always)
    private func stepEstimate(bucket: Int) -> Float {
        let known = steps[bucket]
        return known > 0 ? known : unlearnedStep(bucket: bucket)
    }

    private func unlearnedStep(bucket: Int) -> Float {
        var smaller = bucket - 1
        while smaller >= 0 {
            if steps[smaller] > 0 { return Self.bounded(steps[smaller] * Float(1 << (bucket - smaller))) }
            smaller -= 1
        }
        var larger = bucket + 1
        while larger < SIMD16<Float>.scalarCount {
            if steps[larger] > 0 { return steps[larger] }
            larger += 1
        }
        return announced > 0 ? announced : Self.unknownStep
    }

    @inline(__always)
    private static func bucket(of batch: Int) -> Int {
        batch <= 1 ? 0 : min(Int.bitWidth - (batch - 1).leadingZeroBitCount, SIMD16<Float>.scalarCount - 1)
    }

    private static func bounded(_ time: Float) -> Float {
        time > shortest ? min(time, longest) : shortest
    }
}
