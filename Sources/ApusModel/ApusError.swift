/// Whatever Apus refuses or fails at, with a code that programs can act on and a message that people can.
public struct ApusError: Error, Hashable, Sendable {
    /// What kind of failure this is; the raw value is the name on the wire and in JSON.
    public enum Code: String, Sendable, CaseIterable {
        /// A parameter is missing, impossible or over a limit; the message names it.
        case invalidRequest = "invalid_request"
        /// No worker of this cluster serves the model; the message lists those that are served.
        case unknownModel = "unknown_model"
        /// Prompt and `max_tokens` do not fit into the model's context.
        case promptTooLong = "prompt_too_long"
        /// The job, stream or worker does not exist, or its retention has ended.
        case notFound = "not_found"
        /// The idempotency key belongs to a job with another request.
        case keyConflict = "key_conflict"
        /// The queue is full; try again after the given time.
        case overloaded = "overloaded"
        /// The job's deadline passed before it ended.
        case deadlineExceeded = "deadline_exceeded"
        /// Attempts ended with their workers' death and brought no token: the job is not tried again.
        case attemptsExhausted = "attempts_exhausted"
        /// The engine could not compute this stream.
        case engineFailure = "engine_failure"
        /// The job was cancelled.
        case cancelled
        /// Nobody answers at the endpoint.
        case unreachable
        /// No answer within the read timeout.
        case timeout
        /// The peer speaks another major version of the protocol.
        case versionMismatch = "version_mismatch"
        /// A message that the protocol does not allow.
        case protocolViolation = "protocol_violation"
        /// Another living worker has the name.
        case nameTaken = "name_taken"
        /// The server is draining and takes no new work.
        case shuttingDown = "shutting_down"
        /// The coordinator can't write its journal now, so that it promises nothing; `retryAfter` says when to try again.
        case journalUnavailable = "journal_unavailable"
        /// A message kind that this side does not know.
        case unsupported
        /// A failure with no better name.
        case internalFailure = "internal_failure"
    }

    /// The kind of failure.
    public let code: Code

    /// What happened and what to do about it, in one or two plain sentences without prompt text.
    public let message: String

    /// For `overloaded` and `journalUnavailable`: how long to wait before the next try.
    public let retryAfter: Duration?

    /// Describes a failure.
    ///
    /// - Parameters:
    ///   - code: The kind of failure.
    ///   - message: What happened and what to do about it; carries no prompt text and no secret.
    ///   - retryAfter: How long to wait before the next try, where waiting helps.
    public init(_ code: Code, _ message: String, retryAfter: Duration? = nil) {
        self.code = code
        self.message = message
        self.retryAfter = retryAfter
    }

    /// Whether the same request may succeed later.
    public var isRetriable: Bool {
        switch code {
        case .overloaded, .unreachable, .timeout, .shuttingDown, .journalUnavailable: true
        default: false
        }
    }
}

extension ApusError: CustomStringConvertible {
    /// The code and the message in one line.
    public var description: String { "\(code.rawValue): \(message)" }
}
