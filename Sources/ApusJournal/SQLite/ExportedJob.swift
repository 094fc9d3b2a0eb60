import ApusModel

/// A job as `apus journal export` writes it: everything that is known of it.
public struct ExportedJob: Encodable, Sendable {
    /// The job's name.
    public let job: String

    /// Its idempotency key.
    public let key: String

    /// The client that submitted it.
    public let client: String

    /// When it was accepted, in nanoseconds since 1970.
    public let acceptedAtNs: Int64

    /// What was asked for.
    public let request: Request

    /// Its streams, one a choice.
    public let streams: [Stream]

    /// A request.
    public struct Request: Encodable, Sendable {
        let model: String?
        let prompt: String?
        let messages: [Message]?
        let raw: Bool
        let maxTokens: Int
        let minTokens: Int
        let temperature: Double
        let topK: Int
        let topP: Double
        let minP: Double
        let typicalP: Double
        let repetitionPenalty: Double
        let frequencyPenalty: Double
        let presencePenalty: Double
        let penaltyWindow: Int
        let seed: UInt64?
        let stop: [String]
        let ignoreEos: Bool
        let grammar: String?
        let jsonSchema: String?
        let jsonObject: Bool
        let logprobs: Int?
        let n: Int
        let deadlineMs: Double?
        let priority: String
        let durability: String
    }

    /// A message of a chat.
    public struct Message: Encodable, Sendable {
        let role: String
        let content: String
    }

    /// A stream.
    public struct Stream: Encodable, Sendable {
        let stream: UInt64
        let model: String?
        let text: String
        let tokens: [Int32]
        let end: End?
    }

    /// How a stream ended.
    public struct End: Encodable, Sendable {
        let reason: String
        let errorCode: String?
        let errorMessage: String?
        let promptTokens: Int
        let completionTokens: Int
        let continuity: String
        let attempts: Int
        let endedAtNs: Int64
    }

    /// Reads a job's tokens.
    init(_ kept: KeptJob, _ journal: SQLiteJournal) throws(ApusError) {
        job = kept.accepted.job.description
        key = kept.accepted.key
        client = kept.accepted.client
        acceptedAtNs = journal.clock.kept(kept.accepted.acceptedAt)
        request = Request(kept.accepted.request)
        var streams: [Stream] = []
        for (number, stream) in zip(kept.accepted.streams, kept.streams) {
            var columns = TokenColumns()
            if stream.tokens > 0 {
                try journal.read(StreamID(rawValue: number), 0..<stream.tokens, into: &columns)
            }
            streams.append(
                Stream(
                    stream: number,
                    model: stream.model?.text,
                    text: String(decoding: columns.text, as: UTF8.self),
                    tokens: columns.ids,
                    end: stream.end.map { End($0, endedAtNs: journal.clock.kept(stream.endedAt)) }
                )
            )
        }
        self.streams = streams
    }
}

extension ExportedJob.Request {
    init(_ request: GenerationRequest) {
        model = request.model?.text
        prompt = request.messages.isEmpty ? request.prompt : nil
        messages =
            request.messages.isEmpty
            ? nil : request.messages.map { ExportedJob.Message(role: $0.role, content: $0.content) }
        raw = request.isRaw
        maxTokens = request.maximumTokens
        minTokens = request.minimumTokens
        temperature = request.sampling.temperature
        topK = request.sampling.topK
        topP = request.sampling.topP
        minP = request.sampling.minP
        typicalP = request.sampling.typicalP
        repetitionPenalty = request.sampling.repetitionPenalty
        frequencyPenalty = request.sampling.frequencyPenalty
        presencePenalty = request.sampling.presencePenalty
        penaltyWindow = request.sampling.penaltyWindow
        seed = request.sampling.seed
        stop = request.stop
        ignoreEos = request.ignoresEndOfGeneration
        var (grammar, schema): (String?, String?)
        switch request.constraint {
        case .grammar(let text): grammar = text
        case .jsonSchema(let text): schema = text
        case .jsonObject, nil: break
        }
        self.grammar = grammar
        jsonSchema = schema
        jsonObject = request.constraint == .jsonObject
        logprobs = request.logprobs
        n = request.choices
        deadlineMs = request.deadline?.milliseconds
        priority = request.priority.rawValue
        durability = request.durability.rawValue
    }
}

extension ExportedJob.End {
    init(_ end: StreamEnd, endedAtNs: Int64) {
        reason = end.reason.rawValue
        errorCode = end.error?.code.rawValue
        errorMessage = end.error?.message
        promptTokens = end.usage.promptTokens
        completionTokens = end.usage.completionTokens
        continuity = end.continuity.rawValue
        attempts = end.attempts
        self.endedAtNs = endedAtNs
    }
}
