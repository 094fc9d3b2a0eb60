public import ApusModel

/// A connection to a cluster: submits jobs, follows their streams, asks for status.
///
/// ```swift
/// import ApusClient
/// import ApusModel
///
/// try await ApusClient.withClient(ClientConfiguration(endpoint: "tcp://127.0.0.1:5700")) { client in
///     let request = GenerationRequest(prompt: "Why do swifts sleep on the wing?", maximumTokens: 128)
///     let stream = try await client.submit(request)
///     print("job \(stream.job)")
///     for try await token in stream.tokens { print(token.text, terminator: "") }
/// }
/// ```
///
/// One client serves any number of tasks and thousands of streams on one thread and one socket. It connects in the background
/// and, after a lost connection, again by itself; open streams then go on at their next index, and requests without an answer
/// are sent again (the idempotency key makes that safe).
///
/// Every failure is an `ApusError`: `unreachable` where nobody answers, `timeout` where an answer stays away, `overloaded`
/// where a bound of this client or of the cluster is reached, and whatever the coordinator refuses with.
public final class ApusClient: Sendable {
    /// The actor behind this client; nobody else holds it for long.
    let connection: ClientConnection

    /// How to connect, and how long to wait.
    let configuration: ClientConfiguration

    /// Where commands for the connection go.
    let inbox: ClientInbox

    /// Starts to connect; the first call waits for the connection.
    ///
    /// Ends with `shutdown()`, or when the last reference goes; `withClient` does it in a scope.
    ///
    /// - Parameter configuration: Where to connect, and how long to wait.
    /// - Throws: `invalidRequest` for a bad configuration or an impossible endpoint.
    public init(configuration: ClientConfiguration = ClientConfiguration()) async throws(ApusError) {
        try configuration.validate()
        self.configuration = configuration
        connection = try ClientConnection(configuration: configuration)
        inbox = connection.inbox
        await connection.start()
    }

    deinit { inbox.push(.shutDown) }

    /// Runs `body` with a client and shuts it down afterwards.
    ///
    /// - Parameters:
    ///   - configuration: Where to connect, and how long to wait.
    ///   - body: Uses the client; streams that it leaves open end with it.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws; `invalidRequest` for a bad configuration.
    public static func withClient<R: Sendable>(
        _ configuration: ClientConfiguration = ClientConfiguration(),
        _ body: (ApusClient) async throws -> R
    ) async throws -> R {
        let client = try await ApusClient(configuration: configuration)
        do {
            let result = try await body(client)
            await client.shutdown()
            return result
        } catch {
            await client.shutdown()
            throw error
        }
    }

    /// Ends the client: open streams and calls end with `cancelled`, then connection and thread are gone.
    ///
    /// Accepted jobs go on, except those whose streams were given up before. Those, and jobs whose `submit` is still under way,
    /// are cancelled, which is awaited for at most a second. Safe to call again.
    public func shutdown() async {
        inbox.push(.shutDown)
        await connection.closing.wait()
    }

    // MARK: - Calls

    /// Ends a job, whoever submitted it; its followers get its end with the reason `cancelled`.
    ///
    /// - Throws: `notFound`, `unreachable`, `timeout`, `overloaded`, `cancelled`.
    public func cancel(_ job: JobID) async throws(ApusError) {
        _ = try await call(.cancel(job))
    }

    /// The cluster's status now.
    ///
    /// - Throws: `unreachable`, `timeout`, `overloaded`, `cancelled`.
    public func status() async throws(ApusError) -> ClusterStatus {
        guard case .status(let status) = try await call(.status) else { throw Self.oddAnswer }
        return status
    }

    /// The newest jobs, newest first.
    ///
    /// - Parameters:
    ///   - limit: The most jobs to return, 1 or more.
    ///   - dead: Whether to list those that failed or expired instead, the newest end first, as long as their retention lasts.
    /// - Returns: The jobs; one of several choices has an element for each.
    /// - Throws: `unreachable`, `timeout`, `overloaded`, `cancelled`; `journalUnavailable` for dead ones.
    public func jobs(limit: Int = 100, dead: Bool = false) async throws(ApusError) -> [JobSummary] {
        guard limit > 0 else { throw ApusError(.invalidRequest, "the limit is \(limit); it must be 1 or more") }
        guard case .jobs(let jobs) = try await call(.jobs(limit: limit, dead: dead)) else { throw Self.oddAnswer }
        return jobs
    }

    /// Tries a job again that failed or expired: a new job with the same request, seed and key.
    ///
    /// - Parameter job: The job.
    /// - Returns: The new job, to be attached to.
    /// - Throws: `notFound` once its retention is over; `invalidRequest` for a job that runs or ended well; `keyConflict` where it
    ///   was tried again before; `overloaded`, `journalUnavailable`, `unreachable`, `timeout`, `cancelled`.
    public func retry(_ job: JobID) async throws(ApusError) -> JobID {
        guard case .done(let new?) = try await call(.retry(job)) else { throw Self.oddAnswer }
        return new
    }

    /// Lets a worker finish its streams and take no new ones.
    ///
    /// - Parameter worker: The worker; `nil` drains all of them.
    /// - Throws: `notFound`, `unreachable`, `timeout`, `overloaded`, `cancelled`.
    public func drain(_ worker: WorkerName?) async throws(ApusError) {
        _ = try await call(.drain(worker))
    }

    /// Changes how a worker chooses its batches, while it runs.
    ///
    /// - Parameters:
    ///   - worker: The worker; `nil` changes all of them.
    ///   - settings: What to change; `nil` values stay as they are.
    /// - Throws: `invalidRequest` for settings out of their ranges; `notFound`, `unreachable`, `timeout`, `overloaded`,
    ///   `cancelled`.
    public func configure(_ worker: WorkerName?, _ settings: WorkerSettings) async throws(ApusError) {
        try settings.validate()
        _ = try await call(.configure(worker, settings))
    }

    private func call(_ call: ClientCall) async throws(ApusError) -> ClientReply {
        let number = inbox.nextRequest()
        let promise = Promise<ClientReply>()
        inbox.push(.call(request: number, call, promise))
        do throws(ApusError) {
            return try await promise.value()
        } catch {
            inbox.push(.abandon(request: number))
            throw error
        }
    }

    private static var oddAnswer: ApusError {
        ApusError(.protocolViolation, "the coordinator answered with another kind of message than was asked for")
    }
}
