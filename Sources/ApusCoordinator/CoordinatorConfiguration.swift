/// Where a coordinator listens and what it keeps.
public struct CoordinatorConfiguration: Sendable {
    /// The endpoint for clients; port `*` picks a free one.
    public var clients: String

    /// The endpoint for workers; port `*` picks a free one.
    public var workers: String

    /// How long a graceful shutdown waits for running streams.
    public var drainTimeout: Duration

    /// Describes a coordinator.
    public init(
        clients: String = "tcp://127.0.0.1:5700",
        workers: String = "tcp://127.0.0.1:5701",
        drainTimeout: Duration = .seconds(10)
    ) {
        self.clients = clients
        self.workers = workers
        self.drainTimeout = drainTimeout
    }
}

/// Where a coordinator can be reached, with the ports that were picked.
public struct CoordinatorEndpoints: Hashable, Sendable {
    /// For clients.
    public let clients: String

    /// For workers.
    public let workers: String
}
