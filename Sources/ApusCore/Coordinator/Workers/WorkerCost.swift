import ApusModel

/// What placement must know of a worker beside its standing; the keeper of the workers has one for each place.
struct WorkerCost: Sendable {
    // What a decision reads stands first and together: candidates are drawn from all over a large table, and each costs the time
    // that its memory takes to come.

    /// The predicted time of a step with one stream more, in nanoseconds.
    private(set) var stepNanoseconds = 0.0

    /// The predicted time of a prompt's token, in nanoseconds, the steps between chunks included.
    private(set) var tokenNanoseconds = 0.0

    /// Whether the two are predicted from steps that were measured.
    private(set) var isMeasured = false

    /// Tokens of prompts and histories of the streams whose next token is still to come, without those that it has cached; an
    /// estimate.
    var pendingPrefillTokens = 0

    /// How many of them it has computed, by its own reports.
    private(set) var computedPrefillTokens = 0

    /// Slots that are leased to streams.
    var leases = 0 {
        didSet { predict() }
    }

    /// Slots that it has.
    var slots: Int

    // What the worker last said that it has prefilled.
    private var reported: UInt64 = 0

    /// Its speed.
    var pace = WorkerPace() {
        didSet { predict() }
    }

    /// The worker's name, which decides between workers that are alike in all else.
    var name: WorkerName

    /// Describes a worker without work.
    init(name: WorkerName, slots: Int) {
        self.name = name
        self.slots = slots
        predict()
    }

    private mutating func predict() {
        isMeasured = pace.isMeasured
        stepNanoseconds = pace.stepNanoseconds(batch: leases + 1)
        // A worker decodes between the chunks of its prompts.
        tokenNanoseconds = pace.prefillNanoseconds + stepNanoseconds / Double(WorkerPace.chunk)
    }

    /// Tokens that it has to compute before those of a new stream; an estimate.
    @inline(__always)
    var tokensAhead: Int { max(0, pendingPrefillTokens - computedPrefillTokens) }

    /// The worker reported how many tokens it has prefilled so far; a counter that runs backwards begins anew.
    mutating func prefilled(_ total: UInt64) {
        let new = total >= reported ? total - reported : 0
        reported = total
        let room = UInt64(max(0, pendingPrefillTokens - computedPrefillTokens))
        computedPrefillTokens += Int(min(new, room))
    }

    /// The next token of a stream came, or it went elsewhere: nothing of its prompt is pending any more.
    mutating func prefillEnded(tokens: Int) {
        pendingPrefillTokens -= tokens
        // What was computed beyond the stream's own tokens was computed for others; the estimate never says more than is pending.
        computedPrefillTokens = min(max(0, computedPrefillTokens - tokens), max(0, pendingPrefillTokens))
    }

    /// The share of its slots that is in use with one stream more.
    @inline(__always)
    var shareWithOneMore: Double { Double(leases + 1) / Double(max(slots, 1)) }
}
