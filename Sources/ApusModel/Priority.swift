/// How urgent a job is against others of the same model.
///
/// Classes share the workers by weight while they all have work, so that a lower one is slowed by a higher one and never
/// stopped by it.
public enum Priority: String, Sendable, CaseIterable {
    /// Somebody waits for the first token.
    case high
    /// Most work.
    case normal
    /// Nobody waits: batches, evaluations.
    case low
}
