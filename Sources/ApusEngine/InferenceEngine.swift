public import ApusModel

/// A model, loaded and ready, that computes tokens for sequences in numbered slots.
///
/// An engine is a thin thing: it tokenises, runs forward passes and draws tokens. What runs when is decided by the
/// step planner and performed by the `Pipeline`; what a token means to a client is the response handler's concern.
///
/// Isolation: an engine belongs to the thread that made it; it is never shared and never sendable.
///
/// Exactness: a token is a function of weights, prompt, parameters, seed and index. The companions of a row, the number of
/// threads, drafts, and the way in which a sequence came to its position (decoded, restored from a snapshot, or prefilled
/// again in whole quanta and replayed) must leave its bits alone; an engine that can't promise that says `consistent` in its
/// description.
public protocol InferenceEngine: AnyObject {
    /// What this engine is and can take; constant.
    var description: EngineDescription { get }

    /// Turns a request's prompt or messages into tokens, through the model's chat template unless the request is raw, and
    /// checks what only the engine can check of a request.
    ///
    /// - Throws: `invalidRequest` for a prompt that gives no token, where the template can't take the messages, and for
    ///   parameters that the model can't have.
    func tokenize(_ request: GenerationRequest) throws(ApusError) -> [TokenID]

    /// Takes a vacant slot for a new sequence.
    ///
    /// - Parameters:
    ///   - slot: A slot in `0..<description.slots` that is vacant.
    ///   - request: The sequence's request; its seed is set.
    ///   - prompt: The prompt's tokens, as `tokenize` gave them.
    ///   - history: The stream's tokens 0, 1, … that exist already: what is drawn next depends on them.
    /// - Throws: `engineFailure` for a history that the request rules out; the slot is then still vacant.
    func occupy(
        slot: Int,
        request: GenerationRequest,
        prompt: [TokenID],
        history: [TokenID]
    ) throws(ApusError)

    /// Runs one forward pass and draws the tokens that it asks for.
    ///
    /// A segment whose draw fails is named in the outcome and ends with it; the others are as if it had not been there.
    ///
    /// - Parameters:
    ///   - pass: Segments of different occupied slots, in rising order of slots.
    ///   - outcome: Receives the tokens; its former content is replaced.
    /// - Throws: `engineFailure`; no segment has then advanced.
    func run(_ pass: Pass, into outcome: inout PassOutcome) throws(ApusError)

    /// Copies the computed state of a sequence's beginning.
    ///
    /// - Parameters:
    ///   - slot: An occupied slot.
    ///   - tokens: Tokens of the beginning, whole quanta of the prompt.
    ///   - isLeaving: Whether the slot is vacated next, so that what lies behind the beginning may be dropped.
    /// - Returns: The state; `nil` where the engine can't copy it.
    func snapshot(slot: Int, tokens: Int, isLeaving: Bool) -> PrefixSnapshot?

    /// Gives a sequence that holds nothing yet the beginning of another.
    ///
    /// - Parameters:
    ///   - snapshot: A copy that this engine made.
    ///   - tokens: Tokens to take from it, whole quanta, at most as many as it has.
    ///   - slot: An occupied slot without tokens.
    /// - Returns: Whether the slot now holds them; otherwise it holds nothing.
    func restore(_ snapshot: PrefixSnapshot, tokens: Int, into slot: Int) -> Bool

    /// Appends the bytes of a token's text, which may be a part of a character.
    ///
    /// - Parameters:
    ///   - token: The token; one that the vocabulary does not have has no text.
    ///   - showingSpecials: Whether special tokens have text.
    ///   - bytes: Receives the text.
    func appendText(of token: TokenID, showingSpecials: Bool, to bytes: inout [UInt8])

    /// Whether the model ends its answer with this token.
    func endsGeneration(_ token: TokenID) -> Bool

    /// Gives a slot back.
    func vacate(slot: Int)
}

/// The computed state of a prompt's beginning, as an engine copied it; only the engine that made it can read it.
open class PrefixSnapshot {
    /// Tokens of the beginning.
    public let tokens: Int

    /// Memory that the copy takes.
    public let byteCount: Int

    /// Describes a copy.
    public init(tokens: Int, byteCount: Int) {
        self.tokens = tokens
        self.byteCount = byteCount
    }
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

    /// Tokens of the smallest piece of a prompt, counted from position 0: a prompt has the same bits in whatever chunks of
    /// whole quanta it is computed.
    public var prefillQuantum: Int

    /// The most tokens of a prompt in one pass, whole quanta.
    public var prefillChunk: Int

    /// The most tokens of history that are replayed in one pass.
    public var replayChunk: Int

    /// The widths that a pass over one sequence with drafts may have, rising; empty: no drafts.
    public var draftWidths: [Int]

    /// Time of a prompt chunk of `prefillChunk` tokens, by the engine's own measurement; `nil`: unknown.
    public var prefillTime: Duration?

    /// Time of a decoding pass of one row, by the engine's own measurement; `nil`: unknown.
    public var stepTime: Duration?

    /// Memory of the accelerator that holds the model, in MB; 0 for a processor.
    public var acceleratorMemoryMB: Int

    /// Tokens of the vocabulary.
    public var vocabularySize: Int

    /// The source of the model's chat template, for people to read; `nil` if it has none.
    ///
    /// Cut to `Limits.shownTemplateBytes`.
    public var chatTemplate: String?

    /// Describes an engine.
    public init(
        engine: String,
        model: ModelName,
        slots: Int,
        contextTokens: Int,
        fingerprint: Fingerprint,
        exactness: ExactnessClass,
        prefillQuantum: Int,
        prefillChunk: Int,
        replayChunk: Int,
        draftWidths: [Int] = [],
        prefillTime: Duration? = nil,
        stepTime: Duration? = nil,
        acceleratorMemoryMB: Int = 0,
        vocabularySize: Int = 0,
        chatTemplate: String? = nil
    ) {
        self.engine = engine
        self.model = model
        self.slots = slots
        self.contextTokens = contextTokens
        self.fingerprint = fingerprint
        self.exactness = exactness
        self.prefillQuantum = prefillQuantum
        self.prefillChunk = prefillChunk
        self.replayChunk = replayChunk
        self.draftWidths = draftWidths
        self.prefillTime = prefillTime
        self.stepTime = stepTime
        self.acceleratorMemoryMB = acceleratorMemoryMB
        self.vocabularySize = vocabularySize
        self.chatTemplate = chatTemplate
    }
}
