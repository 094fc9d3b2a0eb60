public import ApusModel

/// A model, loaded and ready, that computes tokens for sequences in numbered slots.
///
/// An engine is a thin thing: it tokenises, runs forward passes and draws tokens. What runs when is decided by the
/// step planner and performed by the `Pipeline`; what a token means to a client is the response handler's concern.
///
/// Isolation: an engine belongs to the thread that made it; it is never shared and never sendable.
///
/// Exactness: a token is a function of weights, prompt, parameters, seed and index. The companions of a row, the number of
/// threads and the way in which a sequence came to its position (decoded, or prefilled again in canonical chunks and
/// replayed) must leave its bits alone; an engine that can't promise that says `consistent` in its description.
public protocol InferenceEngine: AnyObject {
    /// What this engine is and can take; constant.
    var description: EngineDescription { get }

    /// Turns a request's prompt into tokens, through the model's chat template unless the request is raw.
    ///
    /// - Throws: `invalidRequest` for a prompt that gives no token.
    func tokenize(_ request: GenerationRequest) throws(ApusError) -> [TokenID]

    /// Takes an empty slot for a new sequence.
    ///
    /// - Parameters:
    ///   - slot: A slot in `0..<description.slots` that is vacant.
    ///   - request: The sequence's request; its seed is set.
    ///   - prompt: The prompt's tokens, as `tokenize` gave them.
    func occupy(slot: Int, request: GenerationRequest, prompt: [TokenID])

    /// Runs one chunk of a sequence, in a forward pass of its own.
    ///
    /// - Parameters:
    ///   - slot: An occupied slot.
    ///   - tokens: The chunk; a canonical prompt chunk, or at most `description.replayChunk` tokens of history.
    ///   - position: The place of the chunk's first token in the sequence, from 0.
    ///   - index: The index of the token to draw from the last position's logits; `nil` draws none.
    /// - Returns: The drawn token, or `nil` where none was asked for.
    /// - Throws: `engineFailure`; the sequence is then vacated by the caller, others are not affected.
    func prefill(
        slot: Int,
        tokens: ArraySlice<TokenID>,
        position: Int,
        drawing index: Int?
    ) throws(ApusError) -> TokenID?

    /// Runs one forward pass with one token for each row and draws the next token of each.
    ///
    /// - Parameters:
    ///   - rows: Rows of different occupied slots, in rising order of slots.
    ///   - tokens: Receives one token a row, in the same order; its former content is replaced.
    /// - Throws: `engineFailure`; no row has then advanced.
    func decode(_ rows: [DecodeRow], into tokens: inout [TokenID]) throws(ApusError)

    /// Appends the bytes of a token's text, which may be a part of a character; nothing for special tokens.
    func appendText(of token: TokenID, to bytes: inout [UInt8])

    /// Whether the model ends its answer with this token.
    func endsGeneration(_ token: TokenID) -> Bool

    /// Gives a slot back.
    func vacate(slot: Int)
}

/// What an engine is and what it can take.
public struct EngineDescription: Hashable, Sendable {
    /// The kind of engine: `llama`, `simulated`.
    public var engine: String

    /// The name under which the model is served.
    public var model: ModelName

    /// How many sequences run beside each other.
    public var slots: Int

    /// Tokens, prompt and output together, that fit into a slot.
    public var contextTokens: Int

    /// Equal fingerprints compute equal bits.
    public var fingerprint: Fingerprint

    /// What the engine's own probe showed.
    public var exactness: ExactnessClass

    /// Tokens of a canonical prompt chunk, counted from position 0.
    public var prefillChunk: Int

    /// The most tokens of history that are replayed in one pass.
    public var replayChunk: Int

    /// Prompt and history tokens that one step may run beside the decoding, at least one chunk.
    public var prefillBudget: Int

    /// Time of a canonical prompt chunk, by the engine's own measurement; `nil`: unknown.
    public var prefillTime: Duration?

    /// Time of a decoding pass of one row, by the engine's own measurement; `nil`: unknown.
    public var stepTime: Duration?

    /// Memory of the accelerator that holds the model, in MB; 0 for a processor.
    public var acceleratorMemoryMB: Int

    /// Describes an engine.
    public init(
        engine: String,
        model: ModelName,
        slots: Int,
        contextTokens: Int,
        fingerprint: Fingerprint,
        exactness: ExactnessClass,
        prefillChunk: Int,
        replayChunk: Int,
        prefillBudget: Int,
        prefillTime: Duration? = nil,
        stepTime: Duration? = nil,
        acceleratorMemoryMB: Int = 0
    ) {
        self.engine = engine
        self.model = model
        self.slots = slots
        self.contextTokens = contextTokens
        self.fingerprint = fingerprint
        self.exactness = exactness
        self.prefillChunk = prefillChunk
        self.replayChunk = replayChunk
        self.prefillBudget = prefillBudget
        self.prefillTime = prefillTime
        self.stepTime = stepTime
        self.acceleratorMemoryMB = acceleratorMemoryMB
    }
}

/// One sequence's part in a decoding pass.
public struct DecodeRow: Hashable, Sendable {
    /// The sequence's slot.
    public var slot: Int

    /// The token to feed: the last one of the sequence.
    public var token: TokenID

    /// The fed token's place in the sequence, from 0.
    public var position: Int

    /// The index, in the stream, of the token that is drawn.
    public var index: Int

    /// Describes a row.
    public init(slot: Int, token: TokenID, position: Int, index: Int) {
        self.slot = slot
        self.token = token
        self.position = position
        self.index = index
    }
}
