import ApusCore
import ApusJournal
import ApusModel
import ApusProtocol
import ApusTelemetry
import Logging
import ZeroMQ

extension Coordinator {
    /// Tokens in one message to a client: with texts of some bytes each, well below the frame limit.
    static let tokensPerMessage = 32_768

    /// A message that keeps a connection alive and is not answered.
    static let ping: [UInt8] = [ApusVersion.wire, 0x0a, 0x00]

    /// Commits what the turn decided, then sends what may be seen, and empties the turn.
    func perform(at now: Timestamp) throws(ApusError) {
        guard !turn.isEmpty else { return }
        let batch = JournalBatch(tokens: turn.tokens, records: turn.records)
        if !batch.isEmpty {
            guard try commit(batch, at: now) else { return try answerQuestions(at: now) }
        }
        telemetry.take(turn)
        // What is sent may tell of lost peers; that belongs to the next turn, so this one is taken out first.
        var done = Turn()
        swap(&turn, &done)
        for client in done.clients { try sendTokens(done.outgoing[client.place], to: client.peer) }
        for effect in done.effects { try perform(effect, at: now) }
        try flushReplay()
        if !unread.isEmpty { unread.removeAll() }
        for columns in done.acknowledgements {
            var ack = Apus_V1_Ack()
            ack.streams = columns.streams
            ack.through = columns.first
            ack.limits = columns.second
            try send(.ack(ack), to: columns.peer, at: now)
        }
        for columns in done.revocations {
            var revoke = Apus_V1_Revoke()
            revoke.streams = columns.streams
            revoke.epochs = columns.first.map { UInt32(truncatingIfNeeded: $0) }
            try send(.revoke(revoke), to: columns.peer, at: now)
        }
        if turn.isEmpty {
            done.reset()
            turn = done
        }
    }

    /// Answers the questions that came with a turn which is held back.
    ///
    /// An answer promises nothing, and whoever asks is to hear of the failure, not to wait for its end.
    private func answerQuestions(at now: Timestamp) throws(ApusError) {
        var held: [Effect] = []
        var questions: [Effect] = []
        for effect in turn.effects {
            switch effect {
            case .status, .jobs, .deadLetters: questions.append(effect)
            default: held.append(effect)
            }
        }
        guard !questions.isEmpty else { return }
        turn.effects = held
        for question in questions { try perform(question, at: now) }
    }

    /// Makes a turn's batch durable.
    ///
    /// - Returns: Whether it is; where the journal can't be written now, the turn stays as it is and nothing of it may be seen.
    private func commit(_ batch: JournalBatch, at now: Timestamp) throws(ApusError) -> Bool {
        let began = PollExecutor.monotonicNow()
        do throws(ApusError) {
            try journal.commit(batch)
        } catch {
            guard error.code == .journalUnavailable else { throw error }
            if keeper.failed(error, at: now) {
                logger.critical(
                    "the journal can't be written: no job is accepted, and streams stand still until it can",
                    metadata: ["error": "\(error.message)"]
                )
            }
            return false
        }
        let ended = PollExecutor.monotonicNow()
        telemetry.commit.record(ended - began)
        if let outage = keeper.committed(at: ended) {
            logger.notice("the journal is written again", metadata: ["ms": "\(Int(outage.milliseconds))"])
        }
        return true
    }

    func perform(_ effect: Effect, at now: Timestamp) throws(ApusError) {
        if case .replay(let peer, let stream, let from, let count) = effect {
            guard !isUnread(stream, for: peer) else { return }
            do throws(ApusError) {
                try appendReplay(stream, from..<from + count, for: peer)
            } catch {
                try replayFailed(error, stream, replay.reached..<from + count, for: peer)
            }
            return
        }
        try flushReplay()
        switch effect {
        case .replay: break
        case .welcome(let peer):
            var welcome = Apus_V1_Welcome()
            welcome.coordinator = identity
            welcome.version = ApusVersion.release
            try send(.welcome(welcome), to: peer)
        case .accept(let peer, let request, let job, let stream, let seed, let choices):
            var accepted = Apus_V1_Accepted()
            accepted.request = request
            accepted.job = job.description
            accepted.stream = stream.rawValue
            accepted.seed = seed
            accepted.choices = UInt32(choices)
            try send(.accepted(accepted), to: peer)
        case .reject(let peer, let request, let error):
            var rejected = Apus_V1_Rejected()
            rejected.request = request
            rejected.code = error.code.rawValue
            rejected.message = error.message
            rejected.retryAfterMs = error.retryAfter.map { UInt64(clamping: Int64($0.milliseconds)) } ?? 0
            try send(.rejected(rejected), to: peer)
        case .finish(let peer, let stream, let job, let end):
            guard !isUnread(stream, for: peer) else { return }
            try send(.finished(Apus_V1_Finished(stream: stream, job: job, end: end)), to: peer)
        case .done(let peer, let request):
            var done = Apus_V1_Done()
            done.request = request
            try send(.done(done), to: peer)
        case .retried(let peer, let request, let job):
            var done = Apus_V1_Done()
            done.request = request
            done.job = job.description
            try send(.done(done), to: peer)
        case .deadLetters(let peer, let request, let limit):
            try sendDeadLetters(to: peer, request: request, limit: limit, at: now)
        case .refuse(let peer, let request, let error):
            try send(.error(Apus_V1_Error(error, request: request)), to: peer)
        case .status(let peer, let request):
            try send(.status(status(request: request, at: now)), to: peer)
        case .jobs(let peer, let request, let limit):
            try send(.jobs(jobs(request: request, limit: min(limit, Self.jobsInAnswer), at: now)), to: peer)
        case .enlist(let peer, let keep):
            var enlisted = Apus_V1_Enlisted()
            enlisted.coordinator = identity
            enlisted.keep = keep.map { attempt in
                var held = Apus_V1_Held()
                held.stream = attempt.stream.rawValue
                held.epoch = attempt.epoch.rawValue
                held.nextIndex = UInt64(attempt.next)
                return held
            }
            try send(.enlisted(enlisted), to: peer, at: now)
        case .refuseWorker(let peer, let error):
            try send(.error(Apus_V1_Error(error, request: 0)), to: peer, at: now)
        case .assign(let peer, let stream, let epoch, let request, let next, let limit):
            do throws(ApusError) {
                let history = try journal.history(of: stream, count: next)
                try assign(stream, epoch, request, history: history, limit: limit, to: peer, at: now)
            } catch {
                logger.error("a stream's tokens can't be read", metadata: ["error": "\(error)"])
                if error.code == .journalUnavailable {
                    machine.assignmentFailed(on: peer, stream, epoch, at: now, into: &turn)
                } else {
                    machine.historyLost(stream, error, at: now, into: &turn)
                }
            }
        case .configure(let peer, let settings):
            try send(.configure(Apus_V1_Configure(settings)), to: peer, at: now)
        case .drain(let peer):
            try send(.drainWorker(Apus_V1_DrainWorker()), to: peer, at: now)
        case .forgetWorker(let name):
            telemetry.forget(name)
        case .report(let name, let event):
            report(event, of: name)
        }
    }

    /// Sends an attempt off, a long history in parts before it.
    private func assign(
        _ stream: StreamID,
        _ epoch: Epoch,
        _ request: GenerationRequest,
        history: [Int32],
        limit: Int,
        to peer: WorkerPeer,
        at now: Timestamp
    ) throws(ApusError) {
        var rest = history[...]
        while rest.count > Limits.historyTokens {
            var part = Apus_V1_History()
            part.stream = stream.rawValue
            part.epoch = epoch.rawValue
            part.ids = Array(rest.prefix(Limits.historyTokens))
            rest.removeFirst(Limits.historyTokens)
            try send(.history(part), to: peer, at: now)
        }
        var assign = Apus_V1_Assign()
        assign.stream = stream.rawValue
        assign.epoch = epoch.rawValue
        assign.generation = Apus_V1_Request(request)
        assign.history = Array(rest)
        assign.historyBefore = UInt64(history.count - rest.count)
        assign.limit = UInt64(limit)
        try send(.assign(assign), to: peer, at: now)
    }

    // MARK: - Tokens

    private func appendReplay(_ stream: StreamID, _ range: Range<Int>, for peer: ClientPeer) throws(ApusError) {
        replay.reached = range.lowerBound
        if replay.peer != peer { try flushReplay() }
        replay.peer = peer
        var start = range.lowerBound
        while start < range.upperBound {
            replay.reached = start
            let end = min(range.upperBound, start + Self.tokensPerMessage / 8)
            try journal.read(stream, start..<end, into: &replay.columns)
            start = end
            let bytes = replay.columns.details.count
            if replay.columns.tokens >= Self.tokensPerMessage / 2 || bytes >= Limits.frameBytes / 2 {
                try flushReplay(keeping: peer)
            }
        }
    }

    /// Tokens of a stream can't be read: the client is told where that is for good, else it waits.
    private func replayFailed(
        _ error: ApusError,
        _ stream: StreamID,
        _ range: Range<Int>,
        for peer: ClientPeer
    ) throws(ApusError) {
        logger.error("a stream's tokens can't be read", metadata: ["error": "\(error)"])
        unread.insert(UnreadStream(peer: peer, stream: stream))
        guard error.code != .journalUnavailable else {
            machine.replayFailed(to: peer, stream, range)
            return
        }
        try flushReplay()
        guard let job = machine.job(of: stream) else { return }
        machine.detached(by: peer, streams: [stream.rawValue], into: &turn)
        let end = StreamEnd(reason: .failed, error: error)
        try send(.finished(Apus_V1_Finished(stream: stream, job: job, end: end)), to: peer)
    }

    /// Whether a stream's tokens could not be read for a client in this turn, so that nothing that comes after them may be sent.
    private func isUnread(_ stream: StreamID, for peer: ClientPeer) -> Bool {
        !unread.isEmpty && unread.contains(UnreadStream(peer: peer, stream: stream))
    }

    private func sendDeadLetters(
        to peer: ClientPeer,
        request: UInt64,
        limit: Int,
        at now: Timestamp
    ) throws(ApusError) {
        do throws(ApusError) {
            let letters = try journal.deadLetters(limit: min(limit, Self.jobsInAnswer))
            try send(.jobs(jobs(request: request, letters, at: now)), to: peer)
        } catch {
            try send(.error(Apus_V1_Error(error, request: request)), to: peer)
        }
    }

    private func flushReplay(keeping peer: ClientPeer? = nil) throws(ApusError) {
        if let target = replay.peer, !replay.columns.isEmpty { try sendTokens(replay.columns, to: target) }
        replay.columns.removeAll()
        replay.peer = peer
    }

    /// Sends columns in as few messages as the frame limit allows.
    private func sendTokens(_ columns: TokenColumns, to peer: ClientPeer) throws(ApusError) {
        for part in columns.split(tokens: Self.tokensPerMessage, bytes: Limits.frameBytes / 2) {
            var tokens = Apus_V1_Tokens()
            tokens.columns = Apus_V1_TokenColumns(part)
            try send(.tokens(tokens), to: peer)
        }
    }

    // MARK: - Sending

    private func send(_ body: Apus_V1_Envelope.OneOf_Body, to peer: ClientPeer) throws(ApusError) {
        guard let bytes = encoded(body) else { return }
        switch try clientPort.sendChecked(bytes, to: Route(rawValue: peer.rawValue)) {
        case .sent: break
        case .waiting: machine.clientBlocked(peer)
        case .lost: loseClient(peer)
        }
    }

    private func send(_ body: Apus_V1_Envelope.OneOf_Body, to peer: WorkerPeer, at now: Timestamp) throws(ApusError) {
        guard let bytes = encoded(body) else { return }
        if case .lost = try workerPort.sendChecked(bytes, to: Route(rawValue: peer.rawValue)) {
            loseWorker(peer, at: now)
        }
    }

    /// The bytes of a message; `nil` for one that is too large for a frame.
    ///
    /// What goes into a message is bounded when it arrives, so that this is a fault of the coordinator's own; it must not end all
    /// other streams with it.
    private func encoded(_ body: Apus_V1_Envelope.OneOf_Body) -> [UInt8]? {
        do throws(ApusError) {
            return try EnvelopeCodec.encode(Apus_V1_Envelope(body))
        } catch {
            logger.error("a message was not sent", metadata: ["error": "\(error)"])
            return nil
        }
    }

    private func report(_ event: WorkerEvent, of name: WorkerName) {
        let worker: Logger.MetadataValue = "\(name)"
        switch event {
        case .joined: logger.info("worker joined", metadata: ["worker": worker])
        case .left(let streams): logger.info("worker left", metadata: ["worker": worker, "streams": "\(streams)"])
        case .lost(let cause, let streams):
            logger.warning(
                "worker lost, its streams go on elsewhere",
                metadata: ["worker": worker, "cause": "\(cause.rawValue)", "streams": "\(streams)"]
            )
        case .returned: logger.info("worker is back", metadata: ["worker": worker])
        case .draining: logger.info("worker is draining", metadata: ["worker": worker])
        }
    }
}

/// A stream whose tokens could not be read for a client.
struct UnreadStream: Hashable {
    let peer: ClientPeer
    let stream: StreamID
}

/// Tokens from the journal that are gathered for one client.
struct PendingReplay {
    var peer: ClientPeer?
    var columns = TokenColumns()

    /// The index from which the last stream's tokens are being read.
    var reached = 0
}

extension RouterPort {
    /// Sends a message; a failure of the transport itself ends the coordinator.
    mutating func sendChecked(_ bytes: [UInt8], to route: Route) throws(ApusError) -> Outcome {
        do {
            return try send(bytes, to: route)
        } catch {
            throw ApusError(.internalFailure, "the transport failed: \(error)")
        }
    }
}

extension Apus_V1_Error {
    /// The wire form of an error.
    init(_ error: ApusError, request: UInt64) {
        self.init()
        self.request = request
        code = error.code.rawValue
        message = error.message
        retryAfterMs = error.retryAfter.map { UInt64(clamping: Int64($0.milliseconds)) } ?? 0
    }
}
