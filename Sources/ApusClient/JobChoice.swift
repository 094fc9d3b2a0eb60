import ApusModel

/// One of a job's streams, as it can be named without the coordinator's number for it.
struct JobChoice: Hashable, Sendable {
    /// The job.
    var job: JobID

    /// Which of its streams, from 0.
    var choice: Int
}
