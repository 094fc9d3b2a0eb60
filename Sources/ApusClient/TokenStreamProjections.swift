public import ApusModel

/// A stream's tokens in batches: all that came since the last one, for consumers of high throughput.
///
/// It ends after a good end of the stream, found in `TokenStream.end`; any other end is thrown. The rules of `TokenStream`
/// for consuming and giving up hold.
public struct TokenBatches: AsyncSequence, Sendable {
    /// What comes.
    public typealias Element = TokenBatch

    /// What is thrown.
    public typealias Failure = ApusError

    fileprivate let stream: TokenStream

    /// Reads the stream from where it was read to.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(stream: stream) }

    /// Reads a stream batch by batch.
    public struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let stream: TokenStream

        /// Waits for the next batch.
        ///
        /// - Returns: All tokens that came since the last batch; `nil` after a good end.
        /// - Throws: The error of a failed end, or why the stream can't be followed.
        public mutating func next() async throws(ApusError) -> TokenBatch? {
            try await stream.nextBatch(isolation: nil)
        }

        /// As `next()`, on the caller's actor.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(ApusError) -> TokenBatch? {
            try await stream.nextBatch(isolation: actor)
        }
    }
}

/// A stream's tokens one by one, without its end.
///
/// It ends after a good end of the stream, found in `TokenStream.end`; any other end is thrown. The rules of `TokenStream`
/// for consuming and giving up hold.
public struct Tokens: AsyncSequence, Sendable {
    /// What comes.
    public typealias Element = Token

    /// What is thrown.
    public typealias Failure = ApusError

    fileprivate let stream: TokenStream

    /// Reads the stream from where it was read to.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(events: stream.makeAsyncIterator())
    }

    /// Reads a stream token by token.
    public struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate var events: TokenStream.AsyncIterator

        /// Waits for the next token.
        ///
        /// - Returns: The token; `nil` after a good end.
        /// - Throws: The error of a failed end, or why the stream can't be followed.
        public mutating func next() async throws(ApusError) -> Token? {
            try await next(isolation: nil)
        }

        /// As `next()`, on the caller's actor.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(ApusError) -> Token? {
            switch try await events.next(isolation: actor) {
            case .token(let token): return token
            case .finished(let end):
                try end.requireSuccess()
                return nil
            case nil: return nil
            }
        }
    }
}

extension TokenStream {
    /// The tokens in batches: all that came since the last one.
    public var batches: TokenBatches { TokenBatches(stream: self) }

    /// The tokens one by one, without the end.
    public var tokens: Tokens { Tokens(stream: self) }

    /// The whole text, once the stream has come to a good end.
    ///
    /// - Returns: The texts of all tokens from where the stream was read to, joined.
    /// - Throws: The error of a failed end, or why the stream can't be followed.
    public func text() async throws(ApusError) -> String {
        var text = ""
        for try await batch in batches { text += batch.text }
        return text
    }
}
