import ApusModel

/// A client that follows a stream of another client's job.
struct SimulatedFollower {
    /// The client's place.
    let client: Int

    /// The stream's place among the world's.
    let job: Int

    /// The number of its last request; the lower bits tell it from the requests of the client's own jobs.
    var number: UInt64

    /// Whether that was a submit, which is answered with the job's first stream.
    var isSubmit = false

    /// The index of the next token to come.
    var next: Int

    /// The index up to which credit is granted.
    var granted: Int

    /// The name of the job, where it is one that was tried again; else that of the client's own job.
    var name: JobID?

    /// What the coordinator calls the stream, once it has answered.
    var stream: StreamID?

    /// The number of the world's so-many-th request of a follower: its lower bits name no job.
    static func number(_ count: Int) -> UInt64 { UInt64(count) << 20 | 1 << 62 }

    /// Whether a request's number is one of a follower, or of a submit that has to be refused.
    static func isNumber(_ number: UInt64) -> Bool { number >> 62 == 1 }
}
