import ApusModel

/// A client's host and the process that runs there.
struct SimulatedClient {
    let spec: ClientSpec

    var isRunning = false

    /// Counts the processes from 0.
    var life = -1

    /// The place of its connection; `nil` without one.
    var connection: Int?

    /// Until when it grants no credit.
    var stalledUntil: Int64 = 0

    init(spec: ClientSpec) {
        self.spec = spec
    }
}

/// How far a client is with one stream of one of its jobs; a job's streams stand one after the other.
struct SimulatedJob {
    /// The job's place in the world's configuration.
    let spec: Int

    /// Which of its streams this is, from 0.
    let choice: Int

    /// What it waits for.
    enum Phase: Hashable {
        /// The time of its submission.
        case waiting
        /// The answer to its submit.
        case submitting
        /// The answer to its attach.
        case attaching
        /// Tokens and the end.
        case following
        /// Its own wish to follow again.
        case detached
        /// Nothing: the client knows how it ended, or that it is not taken.
        case done
    }

    var phase = Phase.waiting

    init(spec: Int, choice: Int) {
        self.spec = spec
        self.choice = choice
    }

    /// The number of the last submit or attach.
    var number: UInt64 = 0

    /// Submits and attaches so far.
    var requests: UInt64 = 0

    /// The index of the next token to come.
    var next = 0

    /// The index up to which credit is granted.
    var granted = 0

    /// When the client had its first token, and when its latest one, in nanoseconds of virtual time.
    var firstTokenAt: Int64?
    var lastTokenAt: Int64 = 0

    /// What the coordinator calls it, once it is accepted.
    var stream: StreamID?
    var job: JobID?

    /// Whether the present process ever submitted it.
    var isBegun = false

    /// The number of a cancel that waits for its answer.
    var cancel: UInt64?

    /// Numbers the next request; the lower bits say which stream it is for.
    mutating func nextNumber(of place: Int) -> UInt64 {
        requests += 1
        return UInt64(place + 1) | requests << 20
    }

    /// The place of the stream, or of the job's first one, that a request's number belongs to.
    static func place(of number: UInt64) -> Int { Int(number & 0xf_ffff) - 1 }
}
