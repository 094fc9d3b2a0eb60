import ApusCore
import ApusModel

/// What the pipeline knows of an attempt, from its start until its end is acknowledged.
struct Attempt {
    /// False for a vacant place in the pipeline's table.
    let isPresent: Bool
    let stream: StreamID
    let epoch: Epoch
    let request: GenerationRequest
    /// The prompt's tokens and the history; empty once the attempt has ended.
    var prompt: [TokenID]
    var history: [TokenID]
    let promptTokens: Int
    var handler: ResponseHandler
    var unacknowledged: ResendBuffer
    var meter = SessionMeter()
    /// Tokens before this index may be handed out; those behind it wait for the consumer's credit.
    var limit: Int
    /// Whether what the stream says is remembered for guesses.
    let isGuessable: Bool
    /// When the attempt came, how long its prompt took to become tokens, and when its first pass began; 0 before.
    var arrived: Int64 = 0
    var tokenizeTime: Duration = .zero
    var firstPass: Int64 = 0
    /// The stream that computes the beginning of the prompt, while this one waits for it.
    var waitsFor: StreamID?
    /// What guesses are made from, once the stream was alone in a step; before that, what it said here.
    var drafter: NgramDrafter?
    var said: [TokenID] = []
    var guesses = SpeculationPolicy.StreamRecord()
    /// Groups tokens as the client wishes; `nil`: every token goes at once.
    var pacer: TransferPacer?
    var lastToken = TokenID(rawValue: 0)
    /// When the last token came; 0 before the first one.
    var lastTokenCame: Int64 = 0
    /// Set at the end; the attempt then only waits for its acknowledgement.
    var end: AttemptEnd?

    static let vacant = Attempt(
        isPresent: false,
        stream: StreamID(rawValue: 0),
        epoch: .none,
        request: GenerationRequest(prompt: ""),
        prompt: [],
        history: [],
        promptTokens: 0,
        handler: ResponseHandler(request: GenerationRequest(prompt: ""), maximumTokens: 0),
        unacknowledged: ResendBuffer(firstIndex: 0),
        limit: 0,
        isGuessable: false
    )

    var held: HeldAttempt {
        HeldAttempt(stream: stream, epoch: epoch, next: unacknowledged.endIndex)
    }

    /// Whether every token may be handed out, so that the end may follow them.
    var isGranted: Bool { unacknowledged.endIndex <= limit }
}

extension Attempt {
    /// Takes the next token: its text goes through the handler, and it is kept until it is acknowledged.
    ///
    /// - Parameters:
    ///   - token: The token.
    ///   - detail: Its log probabilities, where they are asked for.
    ///   - engine: Knows its text.
    ///   - batch: How many streams shared its step.
    ///   - interval: Nanoseconds since the token before, shared among tokens of one pass; `nil` for the first one.
    ///   - now: When it came.
    /// - Returns: Why the stream ends with it, or `nil`.
    mutating func take(
        _ token: TokenID,
        detail: TokenDetail? = nil,
        of engine: any InferenceEngine,
        batch: Int,
        interval: Int64?,
        now: Int64
    ) -> FinishReason? {
        let start = unacknowledged.text.count
        engine.appendText(of: token, showingSpecials: request.showsSpecialTokens, to: &unacknowledged.text)
        let reason = handler.accept(
            endsGeneration: engine.endsGeneration(token),
            text: &unacknowledged.text,
            from: start
        )
        if let detail {
            var bytes: [UInt8] = []
            detail.encode(into: &bytes)
            unacknowledged.append(token, textFrom: start, detail: bytes)
        } else {
            unacknowledged.append(token, textFrom: start)
        }
        meter.note(interval: interval, batch: batch)
        if isGuessable {
            if drafter == nil { said.append(token) } else { drafter?.append(token) }
        }
        pacer?.tokensCame(1, at: Timestamp(nanoseconds: now))
        lastToken = token
        lastTokenCame = now
        return reason
    }
}
