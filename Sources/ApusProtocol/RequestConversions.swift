package import ApusModel

extension Apus_V1_Request {
    /// The wire form of a request.
    package init(_ request: GenerationRequest) {
        self.init()
        model = request.model?.text ?? ""
        prompt = request.prompt
        raw = request.isRaw
        maxTokens = UInt32(clamping: request.maximumTokens)
        sampling = Apus_V1_Sampling(request.sampling)
        stop = request.stop
        ignoreEos = request.ignoresEndOfGeneration
        deadlineMs = request.deadline.map { UInt64(clamping: max(1, $0.nanoseconds / 1_000_000)) } ?? 0
        priority = request.priority.wireNumber
        minTokens = UInt32(clamping: request.minimumTokens)
        showSpecial = request.showsSpecialTokens
        switch request.constraint {
        case .grammar(let text): grammar = text
        case .jsonSchema(let text): jsonSchema = text
        case .jsonObject: jsonObject = true
        case nil: break
        }
        if let count = request.logprobs { logprobs = UInt32(clamping: count) }
        choices = request.choices == 1 ? 0 : UInt32(clamping: request.choices)
        interTokenMs = request.interTokenTarget.map { UInt32(clamping: max(1, $0.nanoseconds / 1_000_000)) } ?? 0
        transferTokens = request.transferTokens == 1 ? 0 : UInt32(clamping: request.transferTokens)
        noSpeculation = !request.speculates
        durability = request.durability.wireNumber
        messages = request.messages.map { message in
            var wire = Apus_V1_ChatMessage()
            wire.role = message.role
            wire.content = message.content
            return wire
        }
    }
}

extension GenerationRequest {
    /// The request that a peer sent, checked.
    ///
    /// - Throws: `invalidRequest` with a message that names the first bad parameter.
    package init(_ wire: Apus_V1_Request) throws(ApusError) {
        var model: ModelName?
        if !wire.model.isEmpty {
            guard let name = ModelName(wire.model) else {
                throw ApusError(
                    .invalidRequest,
                    "the model's name must have 1 to \(Limits.nameBytes) letters, digits, dots, hyphens or underscores"
                )
            }
            model = name
        }
        guard let priority = Priority(wireNumber: wire.priority) else {
            throw ApusError(
                .invalidRequest,
                "priority is \(wire.priority); it must be 0 (normal), 1 (high) or 2 (low)"
            )
        }
        guard let durability = Durability(wireNumber: wire.durability) else {
            throw ApusError(
                .invalidRequest,
                "durability is \(wire.durability); it must be 0 (released), 1 (accepted) or 2 (none)"
            )
        }
        self.init(
            model: model,
            prompt: wire.prompt,
            messages: wire.messages.map { ChatMessage(role: $0.role, content: $0.content) },
            isRaw: wire.raw,
            maximumTokens: Int(wire.maxTokens),
            sampling: SamplingParameters(wire.sampling),
            stop: wire.stop,
            ignoresEndOfGeneration: wire.ignoreEos,
            deadline: wire.deadlineMs == 0 ? nil : .milliseconds(Int64(clamping: wire.deadlineMs)),
            priority: priority,
            minimumTokens: Int(wire.minTokens),
            showsSpecialTokens: wire.showSpecial,
            constraint: try OutputConstraint(wire),
            logprobs: wire.hasLogprobs ? Int(wire.logprobs) : nil,
            choices: wire.choices == 0 ? 1 : Int(wire.choices),
            interTokenTarget: wire.interTokenMs == 0 ? nil : .milliseconds(Int64(wire.interTokenMs)),
            transferTokens: wire.transferTokens == 0 ? 1 : Int(wire.transferTokens),
            speculates: !wire.noSpeculation,
            durability: durability
        )
        try validate()
    }
}

extension OutputConstraint {
    /// The constraint that a peer's request has.
    ///
    /// - Returns: `nil` if it has none.
    /// - Throws: `invalidRequest` for more than one.
    init?(_ wire: Apus_V1_Request) throws(ApusError) {
        let count = (wire.grammar.isEmpty ? 0 : 1) + (wire.jsonSchema.isEmpty ? 0 : 1) + (wire.jsonObject ? 1 : 0)
        guard count <= 1 else {
            throw ApusError(.invalidRequest, "a job takes one of grammar, json_schema and json_object, not \(count)")
        }
        if !wire.grammar.isEmpty {
            self = .grammar(wire.grammar)
        } else if !wire.jsonSchema.isEmpty {
            self = .jsonSchema(wire.jsonSchema)
        } else if wire.jsonObject {
            self = .jsonObject
        } else {
            return nil
        }
    }
}

extension Apus_V1_Sampling {
    /// The wire form of sampling parameters.
    init(_ sampling: SamplingParameters) {
        self.init()
        temperature = sampling.temperature
        topK = UInt32(clamping: sampling.topK)
        topP = sampling.topP
        if let seed = sampling.seed { self.seed = seed }
        minP = sampling.minP
        typicalP = sampling.typicalP
        repetitionPenalty = sampling.repetitionPenalty
        frequencyPenalty = sampling.frequencyPenalty
        presencePenalty = sampling.presencePenalty
        penaltyWindow = UInt32(clamping: sampling.penaltyWindow)
        if let dry = sampling.dry {
            self.dry.multiplier = dry.multiplier
            self.dry.base = dry.base
            self.dry.allowedLength = UInt32(clamping: dry.allowedLength)
            self.dry.window = UInt32(clamping: dry.window)
            self.dry.breakers = dry.breakers
        }
        logitBias = sampling.logitBias.map { entry in
            var wire = Apus_V1_LogitBias()
            wire.token = entry.token.rawValue
            wire.bias = entry.bias
            return wire
        }
    }
}

extension SamplingParameters {
    /// The parameters that a peer sent, not yet checked.
    init(_ wire: Apus_V1_Sampling) {
        self.init(
            temperature: wire.temperature,
            topK: Int(wire.topK),
            topP: wire.topP == 0 ? 1 : wire.topP,
            minP: wire.minP,
            typicalP: wire.typicalP == 0 ? 1 : wire.typicalP,
            repetitionPenalty: wire.repetitionPenalty == 0 ? 1 : wire.repetitionPenalty,
            penaltyWindow: wire.hasPenaltyWindow ? Int(wire.penaltyWindow) : 64,
            frequencyPenalty: wire.frequencyPenalty,
            presencePenalty: wire.presencePenalty,
            dry: wire.hasDry
                ? DryParameters(
                    multiplier: wire.dry.multiplier,
                    base: wire.dry.base,
                    allowedLength: Int(wire.dry.allowedLength),
                    window: Int(wire.dry.window),
                    breakers: wire.dry.breakers
                ) : nil,
            logitBias: wire.logitBias.map { LogitBias(token: TokenID(rawValue: $0.token), bias: $0.bias) },
            seed: wire.hasSeed ? wire.seed : nil
        )
    }
}
