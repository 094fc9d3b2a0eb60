public import ApusModel

/// How a client reaches its cluster and how long it waits.
public struct ClientConfiguration: Hashable, Sendable {
    /// Where a coordinator listens for clients by default.
    public static let defaultEndpoint = "tcp://127.0.0.1:5700"

    /// Where the coordinator listens for clients, as ZeroMQ writes it.
    public var endpoint: String

    /// Who the client is to the coordinator; 1 to 64 letters, digits, dots, hyphens, underscores.
    ///
    /// Jobs of clients with one name share one share of the workers, so that programs of the same user or service take the same
    /// name. A job belongs to the client that submitted it, whoever follows it. Nobody checks that a name is its user's own.
    public var name: String

    /// How long a call waits for the first connection before it throws `unreachable`.
    public var connectTimeout: Duration

    /// How long a call waits for its answer before it throws `timeout`; a stream's silence between tokens is not a call.
    public var readTimeout: Duration

    /// How long open streams outlive a lost connection before they throw `unreachable`; meanwhile the client reconnects
    /// by itself and goes on at the next index.
    public var reconnectWindow: Duration

    /// Tokens that a stream may run ahead of its consumer, 2 to `Limits.creditWindow`.
    public var creditWindow: Int

    /// Streams that may be open at the same time; a further one throws `overloaded`.
    public var maximumStreams: Int

    /// Calls other than streams that may wait for an answer at the same time; a further one throws `overloaded`.
    public var maximumCalls: Int

    /// Describes a connection.
    public init(
        endpoint: String = ClientConfiguration.defaultEndpoint,
        name: String = "client",
        connectTimeout: Duration = .seconds(5),
        readTimeout: Duration = .seconds(30),
        reconnectWindow: Duration = .seconds(30),
        creditWindow: Int = 1024,
        maximumStreams: Int = 65_536,
        maximumCalls: Int = 4096
    ) {
        self.endpoint = endpoint
        self.name = name
        self.connectTimeout = connectTimeout
        self.readTimeout = readTimeout
        self.reconnectWindow = reconnectWindow
        self.creditWindow = creditWindow
        self.maximumStreams = maximumStreams
        self.maximumCalls = maximumCalls
    }

    /// Checks every field against its range.
    ///
    /// - Throws: `ApusError` with `invalidRequest` and a message that names the first bad field.
    public func validate() throws(ApusError) {
        if ClientName(name) == nil {
            throw ApusError(.invalidRequest, "the client's name must be 1 to 64 letters, digits, dots, - or _")
        }
        if !(2...Limits.creditWindow).contains(creditWindow) {
            throw ApusError(
                .invalidRequest,
                "the credit window is \(creditWindow); it must be between 2 and \(Limits.creditWindow)"
            )
        }
        for (label, duration) in [
            ("connect timeout", connectTimeout), ("read timeout", readTimeout), ("reconnect window", reconnectWindow),
        ] where duration <= .zero {
            throw ApusError(.invalidRequest, "the \(label) is \(duration); it must be above 0")
        }
        if maximumStreams < 1 || maximumCalls < 1 {
            throw ApusError(.invalidRequest, "a client needs room for at least one stream and one call")
        }
    }
}
