/// How a stream's worker is chosen among those that may take it.
///
/// The rules that come first are the same for all: a vacant slot, enough context, trust, the fingerprint that computed the stream's
/// tokens. The policies other than `predictedFirstToken` are there to compare it with.
public enum PlacementPolicy: Sendable, Hashable, CaseIterable {
    /// The worker whose first token is predicted to come earliest, from its measured speed, its load and what it has cached.
    case predictedFirstToken
    /// The worker with the smallest share of slots in use.
    case leastLoaded
    /// One after another; looks at every place until it finds one, and is no policy for thousands of workers.
    case roundRobin
}
