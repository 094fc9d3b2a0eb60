import ApusCore
import ApusModel
import ApusProtocol

extension StepReport {
    /// The step that a worker sent, checked.
    ///
    /// - Throws: `protocolViolation` for columns that do not agree, for more than `Limits.blocksPerStep` blocks, and for more first
    ///   tokens than a worker has slots.
    init(_ wire: Apus_V1_Step) throws(ApusError) {
        let tokens = TokenColumns(wire.tokens)
        guard tokens.isValid, tokens.epochs.count == tokens.rows else {
            throw ApusError(.protocolViolation, "the step's columns do not agree")
        }
        let blocks = wire.cachedBlocks.count + wire.evictedBlocks.count
        guard blocks <= Limits.blocksPerStep else {
            throw ApusError(
                .protocolViolation,
                "the step names \(blocks) blocks; at most \(Limits.blocksPerStep) are taken"
            )
        }
        guard wire.firstTokens.count <= Limits.slots else {
            throw ApusError(
                .protocolViolation,
                "the step has \(wire.firstTokens.count) first tokens; at most \(Limits.slots) are taken"
            )
        }
        self.init(
            progress: wire.progress,
            isBusy: wire.busy,
            load: WorkerLoad(wire.load),
            tokens: tokens,
            ends: wire.ends.map(AttemptEnd.init),
            firstTokens: wire.firstTokens.map(FirstTokenReport.init),
            cachedBlocks: wire.cachedBlocks,
            evictedBlocks: wire.evictedBlocks
        )
    }
}

extension WorkerLoad {
    /// The load that a worker sent.
    init(_ wire: Apus_V1_Load) {
        self.init()
        active = Int(wire.active)
        batchSize = Int(wire.batchSize)
        batchLimit = Int(wire.batchLimit)
        // A worker can't buy itself more patience than a minute.
        stepTime = min(Duration(wireMicroseconds: wire.stepUs), .seconds(60))
        memoryBytes = wire.memoryBytes
        isRefusing = wire.refusing
        prefilledTokens = wire.prefilledTokens
    }
}

extension AttemptEnd {
    /// The end that a worker sent.
    init(_ wire: Apus_V1_AttemptEnd) {
        let reason = FinishReason(rawValue: wire.reason)
        var error: ApusError?
        if !wire.errorCode.isEmpty {
            error = ApusError(wireCode: wire.errorCode, wire.errorMessage.printable(Limits.errorMessageCharacters))
        } else if reason == nil {
            error = ApusError(.engineFailure, "the worker ended the stream with '\(wire.reason)'")
        }
        self.init(
            stream: StreamID(rawValue: wire.stream),
            epoch: Epoch(rawValue: wire.epoch),
            reason: reason ?? .failed,
            error: error,
            // The machine adds to it.
            promptTokens: min(Int(clamping: wire.promptTokens), Limits.promptTokens),
            endIndex: wire.hasEndIndex ? Int(clamping: wire.endIndex) : nil,
            summary: wire.hasSummary ? SessionSummary(wire.summary).bounded : nil
        )
    }
}

extension FirstTokenReport {
    /// What a worker told of an attempt's first token.
    init(_ wire: Apus_V1_FirstToken) {
        self.init(
            stream: StreamID(rawValue: wire.stream),
            epoch: Epoch(rawValue: wire.epoch),
            stages: FirstTokenStages(wire).bounded
        )
    }
}

extension Duration {
    /// The time, cut to what a job may take at most: a worker can't have measured more.
    fileprivate var bounded: Duration { min(self, .seconds(86_400)) }
}

extension FirstTokenStages {
    /// The stages, cut to what can be.
    fileprivate var bounded: FirstTokenStages {
        let prompt = min(promptTokens, Limits.promptTokens)
        return FirstTokenStages(
            tokenize: tokenize.bounded,
            dispatch: dispatch.bounded,
            prefill: prefill.bounded,
            sample: sample.bounded,
            promptTokens: prompt,
            cachedTokens: min(cachedTokens, prompt)
        )
    }
}

extension SessionSummary {
    /// The summary, cut to what can be; the machine adds to its errors.
    fileprivate var bounded: SessionSummary {
        // Many drafts may be thrown away for each token that stays.
        let drafted = min(draftedTokens, Limits.maximumTokens * Limits.slots)
        return SessionSummary(
            tokens: min(tokens, Limits.maximumTokens),
            meanTokenTime: meanTokenTime.bounded,
            p95TokenTime: p95TokenTime.bounded,
            peakMemoryBytes: peakMemoryBytes,
            errors: errors,
            recovered: min(recovered, errors),
            batchSize: min(batchSize, Limits.slots),
            draftedTokens: drafted,
            acceptedTokens: min(acceptedTokens, drafted),
            cachedTokens: min(cachedTokens, Limits.promptTokens)
        )
    }
}

extension WorkerRegistration {
    /// Reads and checks a registration.
    static func read(_ wire: Apus_V1_Register) throws(ApusError) -> (WorkerRegistration, [HeldAttempt]) {
        guard let name = WorkerName(wire.name), let model = ModelName(wire.model) else {
            throw ApusError(
                .invalidRequest,
                "a worker's and a model's name must have 1 to 64 letters, digits, dots, hyphens or underscores"
            )
        }
        guard let fingerprint = Fingerprint(bytes: wire.fingerprint) else {
            throw ApusError(.invalidRequest, "a fingerprint must have 16 bytes")
        }
        guard wire.held.count <= 4 * Limits.slots else {
            throw ApusError(.invalidRequest, "a worker can't hold \(wire.held.count) attempts")
        }
        let held = wire.held.map { held in
            HeldAttempt(
                stream: StreamID(rawValue: held.stream),
                epoch: Epoch(rawValue: held.epoch),
                next: Int(clamping: held.nextIndex)
            )
        }
        let registration = WorkerRegistration(
            name: name,
            incarnation: Incarnation(rawValue: wire.incarnation),
            model: model,
            slots: Int(wire.slots),
            contextTokens: Int(clamping: wire.contextTokens),
            fingerprint: fingerprint,
            exactness: ExactnessClass(rawValue: wire.exactness) ?? .consistent,
            engine: wire.engine.printable(Limits.nameBytes),
            processID: wire.pid,
            host: wire.host.printable(Limits.nameBytes)
        )
        return (registration, held)
    }
}

extension String {
    /// The text's beginning without control characters: what a peer says of itself ends on operators' terminals.
    fileprivate func printable(_ count: Int) -> String {
        String(unicodeScalars.prefix(count).map { $0.properties.generalCategory == .control ? " " : Character($0) })
    }
}
