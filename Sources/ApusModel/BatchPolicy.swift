/// How a worker chooses the number of streams that share a step; the raw value is the name on the wire and in options.
public enum BatchPolicy: String, CaseIterable, Hashable, Sendable {
    /// Learns what a step costs and takes the largest batch that keeps the inter-token target.
    case cost

    /// Adds one while batches are fast, takes one away when they are slow.
    case aimd
}
