public import ApusModel
import ApusProtocol

/// Submitting jobs and following their streams.
extension ApusClient {
    /// Submits a job with one stream and returns once it is accepted.
    ///
    /// - Parameters:
    ///   - request: What to generate; a single choice, see `submitChoices(_:key:)` for more.
    ///   - key: The idempotency key, 1 to 128 bytes: the same key with the same request is the same job, also from another
    ///     client or after a crash. `nil` draws one at random.
    /// - Returns: The job's stream.
    /// - Throws: `invalidRequest`, `unknownModel`, `promptTooLong`, `keyConflict`, `overloaded`, `unreachable`, `timeout`,
    ///   `shuttingDown`; `cancelled` when the task is cancelled, which also cancels the job.
    public func submit(_ request: GenerationRequest, key: String? = nil) async throws(ApusError) -> TokenStream {
        try check(isSingle: request)
        return try await submitChoices(request, key: key)[0]
    }

    /// Submits a job with as many streams as its request has choices, and returns once it is accepted.
    ///
    /// The streams are followed and consumed apart from each other, each with its own credit, end and seed. Giving one up leaves
    /// the others alone; the job is cancelled with the last one that is open.
    ///
    /// - Parameters:
    ///   - request: What to generate.
    ///   - key: The idempotency key, as for `submit(_:key:)`.
    /// - Returns: The job's streams, in the order of their choices.
    /// - Throws: As `submit(_:key:)`.
    public func submitChoices(_ request: GenerationRequest, key: String? = nil) async throws(ApusError) -> [TokenStream]
    {
        let key = try checked(request, key: key)
        let first = inbox.nextRequest(request.choices)
        let window = configuration.creditWindow
        let buffers = (0..<request.choices).map { choice in
            TokenBuffer(request: first + UInt64(choice), firstIndex: 0, window: window, inbox: inbox)
        }
        inbox.push(.submit(request: first, key: key, Apus_V1_Request(request), buffers, window: window))
        let accepted = try await acceptances(buffers.map(\.acceptance), first: first)
        return zip(accepted, buffers).map { TokenStream($0, buffer: $1) }
    }

    /// Submits a job whose stream a callback receives, without a task a stream: for gateways and load generators.
    ///
    /// - Parameters:
    ///   - request: What to generate; a single choice.
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
        try check(isSingle: request)
        return try await submitChoices(request, key: key) { onUpdate($1) }[0]
    }

    /// Submits a job whose streams a callback receives.
    ///
    /// - Parameters:
    ///   - request: What to generate.
    ///   - key: The idempotency key, as for `submit(_:key:)`.
    ///   - onUpdate: Called as that of `submit(_:key:onUpdate:)` for each stream, with its choice.
    /// - Returns: The streams' handles, in the order of their choices; first updates may come before it does.
    /// - Throws: As `submit(_:key:)`; the callback is then never called.
    public func submitChoices(
        _ request: GenerationRequest,
        key: String? = nil,
        onUpdate: @escaping @Sendable (_ choice: Int, StreamUpdate) -> Void
    ) async throws(ApusError) -> [Subscription] {
        let key = try checked(request, key: key)
        let first = inbox.nextRequest(request.choices)
        let sinks = (0..<request.choices).map { choice in CallbackSink { onUpdate(choice, $0) } }
        inbox.push(
            .submit(request: first, key: key, Apus_V1_Request(request), sinks, window: configuration.creditWindow)
        )
        let accepted = try await acceptances(sinks.map(\.acceptance), first: first)
        return accepted.map { Subscription($0, request: first + UInt64($0.choice), inbox: inbox) }
    }

    /// Follows one of a job's streams, whoever submitted it.
    ///
    /// Giving the stream up only stops following; the job goes on.
    ///
    /// - Parameters:
    ///   - job: The job.
    ///   - choice: Which of its streams, from 0.
    ///   - index: The first index to receive, 0 or more.
    /// - Returns: The stream from that index.
    /// - Throws: `notFound` for a job that the coordinator does not know, and for a choice that it does not have; otherwise as
    ///   `submit(_:key:)`.
    public func attach(_ job: JobID, choice: Int = 0, from index: Int = 0) async throws(ApusError) -> TokenStream {
        try await attach(to: .job(job), choice: choice, from: index)
    }

    /// Follows one of a job's streams, by the job's idempotency key.
    ///
    /// - Parameters:
    ///   - key: The key; where a job was tried again after a failure it names the newest one.
    ///   - choice: Which of its streams, from 0.
    ///   - index: The first index to receive, 0 or more.
    /// - Returns: The stream.
    /// - Throws: As `attach(_:choice:from:)`.
    public func attach(key: String, choice: Int = 0, from index: Int = 0) async throws(ApusError) -> TokenStream {
        try await attach(to: .key(try checked(key: key)), choice: choice, from: index)
    }

    private func attach(
        to target: AttachTarget,
        choice: Int,
        from index: Int
    ) async throws(ApusError) -> TokenStream {
        try check(choice: choice, index: index)
        let number = inbox.nextRequest()
        let window = configuration.creditWindow
        let buffer = TokenBuffer(request: number, firstIndex: index, window: window, inbox: inbox)
        inbox.push(
            .attach(request: number, target, choice: choice, from: index, buffer, window: window)
        )
        return TokenStream(try await acceptance(buffer.acceptance, request: number), buffer: buffer)
    }

    /// Follows one of a job's streams with a callback.
    ///
    /// - Parameters:
    ///   - job: The job.
    ///   - choice: Which of its streams, from 0.
    ///   - index: The first index to receive, 0 or more.
    ///   - onUpdate: As for `submit(_:key:onUpdate:)`.
    /// - Returns: The stream's handle; the first update may come before it does.
    /// - Throws: As `attach(_:choice:from:)`; the callback is then never called.
    public func attach(
        _ job: JobID,
        choice: Int = 0,
        from index: Int = 0,
        onUpdate: @escaping @Sendable (StreamUpdate) -> Void
    ) async throws(ApusError) -> Subscription {
        try check(choice: choice, index: index)
        let number = inbox.nextRequest()
        let sink = CallbackSink(onUpdate)
        let window = configuration.creditWindow
        inbox.push(.attach(request: number, .job(job), choice: choice, from: index, sink, window: window))
        return Subscription(try await acceptance(sink.acceptance, request: number), request: number, inbox: inbox)
    }

    /// Waits for the acceptance of all streams of a submit; all or none are accepted.
    private func acceptances(
        _ promises: [Promise<AcceptedJob>],
        first: UInt64
    ) async throws(ApusError) -> [AcceptedJob] {
        var accepted: [AcceptedJob] = []
        do throws(ApusError) {
            for promise in promises { accepted.append(try await promise.value()) }
        } catch {
            // As below, for each of them.
            for choice in promises.indices { inbox.push(.abandon(request: first + UInt64(choice))) }
            throw error
        }
        return accepted
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

    private func check(isSingle request: GenerationRequest) throws(ApusError) {
        guard request.choices <= 1 else {
            throw ApusError(
                .invalidRequest,
                "the request has \(request.choices) choices, which give as many streams: submitChoices returns them"
            )
        }
    }

    private func check(choice: Int, index: Int) throws(ApusError) {
        guard (0..<Limits.choices).contains(choice) else {
            throw ApusError(.invalidRequest, "the choice \(choice) is not between 0 and \(Limits.choices - 1)")
        }
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
        return try checked(key: key)
    }

    private func checked(key: String) throws(ApusError) -> String {
        guard (1...Limits.keyBytes).contains(key.utf8.count) else {
            throw ApusError(
                .invalidRequest,
                "the key has \(key.utf8.count) bytes; it must have between 1 and \(Limits.keyBytes)"
            )
        }
        return key
    }
}
