import ApusModel

/// The end of an accepted job's stream that the client could not follow to its end.
struct BrokenStream: Error {
    /// Why.
    let error: ApusError

    /// Which of the job's streams, where it has several.
    var choice: Int?

    /// The status of the command: an accepted job has failed, whatever would be wrong input before its acceptance.
    var status: ExitStatus {
        let status = ExitStatus(error)
        return status == .usage ? .failed : status
    }

    /// Runs a command that prints a stream, until Ctrl-C; with JSON an error is a line of the output too.
    ///
    /// - Parameters:
    ///   - format: How the stream is printed.
    ///   - work: Prints the stream.
    /// - Throws: `CommandExit` unless all went well.
    static func reported(
        as format: StreamFormat,
        _ work: @escaping @Sendable () async throws -> ExitStatus
    ) async throws {
        func report(_ error: ApusError, choice: Int? = nil, _ status: ExitStatus) throws -> CommandExit {
            if format == .json { try Terminal.write(EventLines.error(error, choice: choice)) }
            return CommandExit(status, error.message)
        }
        let status: ExitStatus
        do {
            status = try await Interruption.interruptible(work)
        } catch let broken as BrokenStream {
            throw try report(broken.error, choice: broken.choice, broken.status)
        } catch let error as ApusError {
            throw try report(error, ExitStatus(error))
        }
        if status != .done { throw CommandExit(status) }
    }
}
