import ApusModel

/// How the command ends, as scripts see it.
enum ExitStatus: Int32, Sendable {
    /// Done.
    case done = 0
    /// The job failed, or the command did for no better reason.
    case failed = 1
    /// Wrong usage or input: the same call can never succeed.
    case usage = 2
    /// The cluster is not reachable or too busy: the same call may succeed later.
    case unavailable = 3
    /// Interrupted by Ctrl-C, or by a reader that closed the output.
    case interrupted = 130

    /// The status that stands for an error.
    init(_ error: ApusError) {
        self =
            switch error.code {
            case .invalidRequest, .unknownModel, .promptTooLong, .notFound, .keyConflict, .nameTaken: .usage
            case .overloaded, .unreachable, .timeout, .versionMismatch, .shuttingDown, .journalUnavailable:
                .unavailable
            case .cancelled: .interrupted
            case .deadlineExceeded, .attemptsExhausted, .engineFailure, .protocolViolation, .unsupported,
                .internalFailure:
                .failed
            }
    }

    /// The status that stands for a job's end.
    ///
    /// A job that somebody else cancelled has failed as far as its submitter is concerned. Input that only the model can judge, such
    /// as a prompt over the context, is wrong input all the same; a job that the coordinator no longer keeps was none.
    init(_ end: StreamEnd) {
        let isInput = end.error.map { $0.code != .notFound && ExitStatus($0) == .usage } ?? false
        self = end.reason.isSuccess ? .done : isInput ? .usage : .failed
    }

    /// The status that stands for argument-parser's: its 64, wrong usage, is 2 here.
    init(parserStatus: Int32) {
        self =
            switch parserStatus {
            case 0: .done
            case 64: .usage
            default: .failed
            }
    }
}

/// A command's end that is not plain success.
struct CommandExit: Error, Hashable {
    /// The process's exit status.
    let status: ExitStatus

    /// What to print on the error output; `nil` where all is said.
    let message: String?

    /// Ends a command.
    init(_ status: ExitStatus, _ message: String? = nil) {
        self.status = status
        self.message = message
    }
}
