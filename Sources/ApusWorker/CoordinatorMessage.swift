import ApusCore
import ApusEngine
import ApusModel
import ApusProtocol

/// What a coordinator tells a worker, read from the wire and checked.
enum CoordinatorMessage: Sendable {
    /// The registration is accepted; other attempts than these are to be dropped.
    case enlisted(keep: [HeldAttempt])
    /// Something for the engine's thread.
    case command(EngineCommand)
    /// Finish and leave.
    case drain
    /// The coordinator refused something.
    case refused(ApusError)
    /// Nothing to do.
    case nothing

    /// Reads an envelope.
    ///
    /// - Throws: `protocolViolation` for columns that do not agree, and for messages that a worker never gets.
    init(_ envelope: Apus_V1_Envelope) throws(ApusError) {
        switch envelope.body {
        case .enlisted(let enlisted):
            self = .enlisted(keep: enlisted.keep.map { HeldAttempt($0) })
        case .assign(let assign):
            self = .command(EngineCommand(assign))
        case .revoke(let revoke):
            guard revoke.streams.count == revoke.epochs.count else {
                throw ApusError(.protocolViolation, "a revocation's columns differ in length")
            }
            self = .command(
                .revoke(
                    zip(revoke.streams, revoke.epochs).map {
                        HeldAttempt(stream: StreamID(rawValue: $0), epoch: Epoch(rawValue: $1), next: 0)
                    }
                )
            )
        case .ack(let ack):
            guard ack.streams.count == ack.through.count, ack.streams.count == ack.limits.count else {
                throw ApusError(.protocolViolation, "an acknowledgement's columns differ in length")
            }
            self = .command(
                .acknowledge(
                    ack.streams.indices.map { row in
                        Acknowledgement(
                            stream: StreamID(rawValue: ack.streams[row]),
                            through: Int(clamping: ack.through[row]),
                            limit: Int(clamping: ack.limits[row])
                        )
                    }
                )
            )
        case .configure(let configure):
            self = .command(.configure(try WorkerSettings(configure)))
        case .drainWorker:
            self = .drain
        case .error(let error):
            self = .refused(ApusError(wireCode: error.code, error.message))
        case .ping:
            self = .nothing
        default:
            throw ApusError(.protocolViolation, "the message is not for a worker, or of a newer version")
        }
    }
}

extension EngineCommand {
    /// The command for an assignment; one with an impossible request ends at once with the reason.
    init(_ assign: Apus_V1_Assign) {
        let stream = StreamID(rawValue: assign.stream)
        let epoch = Epoch(rawValue: assign.epoch)
        do throws(ApusError) {
            guard assign.history.count <= Limits.maximumTokens else {
                throw ApusError(.invalidRequest, "the history has \(assign.history.count) tokens, over the limit")
            }
            self = .start(
                Assignment(
                    stream: stream,
                    epoch: epoch,
                    request: try GenerationRequest(assign.generation),
                    history: assign.history.map { TokenID(rawValue: $0) },
                    limit: Int(clamping: assign.limit)
                )
            )
        } catch {
            self = .refuse(stream, epoch, next: assign.history.count, error)
        }
    }
}

extension HeldAttempt {
    /// Reads a held attempt.
    init(_ wire: Apus_V1_Held) {
        self.init(
            stream: StreamID(rawValue: wire.stream),
            epoch: Epoch(rawValue: wire.epoch),
            next: Int(clamping: wire.nextIndex)
        )
    }
}

extension Apus_V1_Held {
    /// The wire form of a held attempt.
    init(_ held: HeldAttempt) {
        self.init()
        stream = held.stream.rawValue
        epoch = held.epoch.rawValue
        nextIndex = UInt64(held.next)
    }
}
