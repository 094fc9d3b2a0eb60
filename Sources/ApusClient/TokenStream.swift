public import ApusModel

/// One stream of an accepted job: its tokens as they come, then its end.
///
/// ```swift
/// let stream = try await client.submit(GenerationRequest(prompt: "Name three swifts."))
/// for try await event in stream {
///     switch event {
///     case .token(let token): print(token.text, terminator: "")
///     case .finished(let end): print("\n\(end.reason), \(end.usage.completionTokens) tokens")
///     }
/// }
/// ```
///
/// Tokens come every index once and in order, also through a lost worker, connection or coordinator. The sequence ends after
/// `finished`; it throws `ApusError` where the client could not follow the stream to its end, never silently. The end of a
/// failed or expired job is a `finished` with `error` set, not thrown.
///
/// One task consumes it at a time, and a second iteration goes on where the first stopped. At most the client's credit window
/// of tokens waits here; a consumer that stops reading stops the stream.
///
/// Giving up: a consuming task that is cancelled gets `ApusError` with `cancelled`. That, and dropping the stream and its
/// iterators before the end, cancels the job where `submit` made the stream; where `attach` did, the job goes on. A job of several
/// choices is cancelled when the last of its open streams is given up, unless one of them was detached.
public struct TokenStream: AsyncSequence, Sendable {
    /// What comes.
    public typealias Element = StreamEvent

    /// What is thrown.
    public typealias Failure = ApusError

    /// The job's public name.
    public let job: JobID

    /// The seed of the stream's draws; that of a job's first stream was asked for or chosen by the coordinator, and the others
    /// follow from it.
    public let seed: UInt64

    /// Which of the job's streams it is, from 0.
    public let choice: Int

    /// How many streams the job has.
    public let choices: Int

    private let handle: StreamHandle

    /// Shows an accepted stream.
    init(_ accepted: AcceptedJob, buffer: TokenBuffer) {
        job = accepted.job
        seed = accepted.seed
        choice = accepted.choice
        choices = accepted.choices
        handle = StreamHandle(buffer)
    }

    /// The stream's end, once it has come; it may come before its last tokens are consumed.
    public var end: StreamEnd? { handle.buffer.end }

    /// Leaves the stream to itself: nothing more is received, and the job goes on without this client.
    ///
    /// Tokens that are here already can still be read; then the sequence throws `cancelled`.
    public func detach() {
        handle.buffer.detach()
    }

    /// Reads the stream from where it was read to.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(handle: handle) }

    /// Reads a stream event by event; tokens that came together are read without suspension.
    public struct AsyncIterator: AsyncIteratorProtocol {
        private let handle: StreamHandle
        private var batch: TokenBatch.Iterator?

        /// Starts at the stream's present place.
        fileprivate init(handle: StreamHandle) {
            self.handle = handle
        }

        /// Waits for the next event.
        ///
        /// - Returns: The event; `nil` after the end.
        /// - Throws: `cancelled` when the task is cancelled; `unreachable`, `notFound`, `protocolViolation` and others when
        ///   the stream can't be followed.
        public mutating func next() async throws(ApusError) -> StreamEvent? {
            try await next(isolation: nil)
        }

        /// As `next()`, on the caller's actor.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(ApusError) -> StreamEvent? {
            if Task.isCancelled { handle.buffer.cancel() }
            if let token = batch?.next() {
                if !Task.isCancelled { return .token(token) }
                batch = nil
            }
            switch await handle.buffer.next(isolation: actor) {
            case .batch(let next):
                var tokens = next.makeIterator()
                let first = tokens.next()
                batch = tokens
                return first.map { .token($0) }
            case .finished(let end): return .finished(end)
            case .failed(let error): throw error
            case .nothingMore, .nothingYet: return nil
            }
        }
    }
}

/// Keeps a stream alive while anybody can still read it.
final class StreamHandle: Sendable {
    /// Where the tokens wait.
    let buffer: TokenBuffer

    /// Holds a stream.
    init(_ buffer: TokenBuffer) {
        self.buffer = buffer
    }

    deinit { buffer.abandon() }
}

extension TokenStream {
    /// Waits for all tokens that came since the last call.
    ///
    /// - Returns: The tokens; `nil` after a good end.
    func nextBatch(isolation actor: isolated (any Actor)?) async throws(ApusError) -> TokenBatch? {
        switch await handle.buffer.next(isolation: actor) {
        case .batch(let batch): return batch
        case .finished(let end):
            try end.requireSuccess()
            return nil
        case .failed(let error): throw error
        case .nothingMore, .nothingYet: return nil
        }
    }
}

extension StreamEnd {
    /// Throws the error of an end that is no good one.
    func requireSuccess() throws(ApusError) {
        if reason.isSuccess { return }
        let code: ApusError.Code = reason == .cancelled ? .cancelled : .engineFailure
        throw error ?? ApusError(code, "the job ended as \(reason.rawValue)")
    }
}
