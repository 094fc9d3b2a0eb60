public import ApusModel
import ApusProtocol

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

    private let configuration: ClientConfiguration
    private let inbox: ClientInbox

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

    // MARK: - Streams

    /// Submits a job and returns once it is accepted.
    ///
    /// - Parameters:
    ///   - request: What to generate.
    ///   - key: The idempotency key, 1 to 128 bytes: the same key with the same request is the same job, also from another
    ///     client or after a crash. `nil` draws one at random.
    /// - Returns: The job's stream.
    /// - Throws: `invalidRequest`, `unknownModel`, `promptTooLong`, `keyConflict`, `overloaded`, `unreachable`, `timeout`,
    ///   `shuttingDown`; `cancelled` when the task is cancelled, which also cancels the job.
    public func submit(_ request: GenerationRequest, key: String? = nil) async throws(ApusError) -> TokenStream {
        let key = try checked(request, key: key)
        let number = inbox.nextRequest()
        let buffer = TokenBuffer(request: number, firstIndex: 0, window: configuration.creditWindow, inbox: inbox)
        let generation = Apus_V1_Request(request)
        inbox.push(
            .submit(request: number, key: key, generation, buffer, window: configuration.creditWindow)
        )
        return TokenStream(try await acceptance(buffer.acceptance, request: number), buffer: buffer)
    }

    /// Submits a job whose stream a callback receives, without a task a stream: for gateways and load generators.
    ///
    /// - Parameters:
    ///   - request: What to generate.
    ///   - key: The idempotency key, as for `submit(_:key:)`.
    ///   - onUpdate: Called on the client's thread for each batch and at last once for the end; it must not block, and its
    ///     return gives the batch's credit back.
    /// - Returns: The stream's handle; the first update may come before it does.
    /// - Throws: As `submit(_:key:)`; the callback is then never called.
    public func submit(
        _ request: GenerationRequest,
        key: String? = nil,
        onUpdate: @escaping @Sendable (StreamUpdate) -> Void
    ) async throws(ApusError) -> Subscription {
        let key = try checked(request, key: key)
        let number = inbox.nextRequest()
        let sink = CallbackSink(onUpdate)
        let generation = Apus_V1_Request(request)
        inbox.push(.submit(request: number, key: key, generation, sink, window: configuration.creditWindow))
        return Subscription(try await acceptance(sink.acceptance, request: number), request: number, inbox: inbox)
    }

    /// Follows a job's stream, whoever submitted it.
    ///
    /// Giving the stream up only stops following; the job goes on.
    ///
    /// - Parameters:
    ///   - job: The job.
    ///   - index: The first index to receive, 0 or more.
    /// - Returns: The job's stream from that index.
    /// - Throws: `notFound` for a job that the coordinator does not know; otherwise as `submit(_:key:)`.
    public func attach(_ job: JobID, from index: Int = 0) async throws(ApusError) -> TokenStream {
        try check(index: index)
        let number = inbox.nextRequest()
        let window = configuration.creditWindow
        let buffer = TokenBuffer(request: number, firstIndex: index, window: window, inbox: inbox)
        inbox.push(.attach(request: number, job, from: index, buffer, window: window))
        return TokenStream(try await acceptance(buffer.acceptance, request: number), buffer: buffer)
    }

    /// Follows a job's stream with a callback.
    ///
    /// - Parameters:
    ///   - job: The job.
    ///   - index: The first index to receive, 0 or more.
    ///   - onUpdate: As for `submit(_:key:onUpdate:)`.
    /// - Returns: The stream's handle; the first update may come before it does.
    /// - Throws: As `attach(_:from:)`; the callback is then never called.
    public func attach(
        _ job: JobID,
        from index: Int = 0,
        onUpdate: @escaping @Sendable (StreamUpdate) -> Void
    ) async throws(ApusError) -> Subscription {
        try check(index: index)
        let number = inbox.nextRequest()
        let sink = CallbackSink(onUpdate)
        inbox.push(.attach(request: number, job, from: index, sink, window: configuration.creditWindow))
        return Subscription(try await acceptance(sink.acceptance, request: number), request: number, inbox: inbox)
    }

    private func acceptance(_ promise: Promise<AcceptedJob>, request: UInt64) async throws(ApusError) -> AcceptedJob {
        do throws(ApusError) {
            return try await promise.value()
        } catch {
            // Of the failures only the task's own cancellation leaves something behind; for the others this does nothing.
            inbox.push(.abandon(request: request))
            throw error
        }
    }

    private func check(index: Int) throws(ApusError) {
        guard (0...Limits.maximumTokens).contains(index) else {
            throw ApusError(
                .invalidRequest,
                "the index \(index) is not between 0 and \(Limits.maximumTokens)"
            )
        }
    }

    private func checked(_ request: GenerationRequest, key: String?) throws(ApusError) -> String {
        try request.validate()
        guard let key else {
            // 128 random bits: two jobs never share a key by chance.
            return (0..<2).map { _ in String(UInt64.random(in: 0 ... .max), radix: 36) }.joined(separator: "-")
        }
        guard (1...Limits.keyBytes).contains(key.utf8.count) else {
            throw ApusError(
                .invalidRequest,
                "the key has \(key.utf8.count) bytes; it must have between 1 and \(Limits.keyBytes)"
            )
        }
        return key
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
    /// - Parameter limit: The most jobs to return, 1 or more.
    /// - Returns: The jobs.
    /// - Throws: `unreachable`, `timeout`, `overloaded`, `cancelled`.
    public func jobs(limit: Int = 100) async throws(ApusError) -> [JobSummary] {
        guard limit > 0 else { throw ApusError(.invalidRequest, "the limit is \(limit); it must be 1 or more") }
        guard case .jobs(let jobs) = try await call(.jobs(limit: limit)) else { throw Self.oddAnswer }
        return jobs
    }

    /// Lets a worker finish its streams and take no new ones.
    ///
    /// - Parameter worker: The worker; `nil` drains all of them.
    /// - Throws: `notFound`, `unreachable`, `timeout`, `overloaded`, `cancelled`.
    public func drain(_ worker: WorkerName?) async throws(ApusError) {
        _ = try await call(.drain(worker))
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
