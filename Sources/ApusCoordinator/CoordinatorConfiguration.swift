/// Where a coordinator listens and what it keeps.
public struct CoordinatorConfiguration: Sendable {
    /// The weights that a share may have.
    public static let weights = 1...1_000

    /// The endpoint for clients; port `*` picks a free one.
    public var clients: String

    /// The endpoint for workers; port `*` picks a free one.
    public var workers: String

    /// How long a graceful shutdown waits for running streams.
    public var drainTimeout: Duration

    /// The weight of clients by their names, each within `weights`; a client that is not among them has 1.
    ///
    /// While clients compete for workers, each name gets work in proportion to its weight.
    public var shares: [String: Int]

    /// Describes a coordinator.
    public init(
        clients: String = "tcp://127.0.0.1:5700",
        workers: String = "tcp://127.0.0.1:5701",
        drainTimeout: Duration = .seconds(10),
        shares: [String: Int] = [:]
    ) {
        self.clients = clients
        self.workers = workers
        self.drainTimeout = drainTimeout
        self.shares = shares
    }
}

/// Where a coordinator can be reached, with the ports that were picked.
public struct CoordinatorEndpoints: Hashable, Sendable {
    /// For clients.
    public let clients: String

    /// For workers.
    public let workers: String
}
