/// How much of a job survives its coordinator.
///
/// A promise is durable before it is visible: what the class names is on disk before a client hears of it.
public enum Durability: String, Sendable, CaseIterable {
    /// Its acceptance, its attempts, each token before it is released, and its end.
    case released
    /// Its acceptance, its attempts and, with its end, all of its tokens.
    ///
    /// After a coordinator's death an unfinished stream is computed again from its first token; on equal fingerprints that gives
    /// the same tokens, so that clients go on where they were. Elsewhere its continuity becomes `none`.
    case accepted
    /// Nothing: the job dies with its coordinator.
    case none
}
