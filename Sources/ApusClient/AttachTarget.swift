import ApusModel

/// The job that somebody wants to follow.
enum AttachTarget: Hashable, Sendable {
    /// By its name.
    case job(JobID)
    /// By its idempotency key.
    case key(String)

    /// The job's name, where it is known.
    var job: JobID? { if case .job(let job) = self { job } else { nil } }
}
