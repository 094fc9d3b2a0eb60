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
    var lastToken = TokenID(rawValue: 0)
    /// When the first chunk began, and when the last token came; 0 before.
    var prefillBegan: Int64 = 0
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
        unacknowledged: ResendBuffer(firstIndex: 0)
    )

    var held: HeldAttempt {
        HeldAttempt(stream: stream, epoch: epoch, next: unacknowledged.endIndex)
    }
}

extension Attempt {
    /// Takes the next token: its text goes through the handler, and it is kept until it is acknowledged.
    mutating func take(_ token: TokenID, of engine: any InferenceEngine, now: Int64) -> FinishReason? {
        let start = unacknowledged.text.count
        engine.appendText(of: token, to: &unacknowledged.text)
        let reason = handler.accept(
            endsGeneration: engine.endsGeneration(token),
            text: &unacknowledged.text,
            from: start
        )
        unacknowledged.append(token, textFrom: start)
        lastToken = token
        lastTokenCame = now
        return reason
    }
}
