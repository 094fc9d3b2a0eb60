/// The bounds that hold in every process, each with its reason.
///
/// A message beyond one of them is refused with a code; it never costs memory first.
public enum Limits {
    /// Bytes in a message on a socket: enough for a long prompt or a step of thousands of streams, small enough to decode at once.
    public static let frameBytes = 1 << 20

    /// Bytes in a prompt: half a frame, so that a prompt and its token history fit into one assignment.
    public static let promptBytes = 512 << 10

    /// Messages of a chat: a long conversation, and each costs a template some work.
    public static let messages = 2_048

    /// Bytes in a message's role: templates know short words.
    public static let roleBytes = 64

    /// Bytes of a chat template that a worker shows; the longest known ones have a little more than that.
    public static let shownTemplateBytes = 16 << 10

    /// Tokens of a prompt, as a worker may count them: one a byte of a frame, more than any tokenizer makes of a prompt.
    public static let promptTokens = frameBytes

    /// Tokens that a stream may generate: with its prompt, an assignment that carries them as history still fits into a frame.
    public static let maximumTokens = 1_000_000

    /// Tokens of a history in one message: beside the largest request they fit into a frame.
    public static let historyTokens = 65_536

    /// Bytes in a worker's, a model's or a client's name: fits a terminal column and a metric label.
    public static let nameBytes = 64

    /// Bytes in an idempotency key: two UUIDs and a prefix.
    public static let keyBytes = 128

    /// Stop strings of a job: each is compared at each token.
    public static let stopStrings = 16

    /// Bytes in a stop string: as much text may be held back from the client.
    public static let stopBytes = 256

    /// Bytes in the text of one token: what a stop string may hold back, many times over.
    public static let tokenTextBytes = 16 << 10

    /// Bytes in a grammar or a JSON schema: more than anybody writes by hand, little enough to check at once.
    public static let constraintBytes = 64 << 10

    /// Streams of a job: choices beyond are jobs of their own.
    public static let choices = 16

    /// Likeliest tokens that may come with a token, as in OpenAI's API.
    public static let alternatives = 20

    /// Bytes of a token's details: its own and the alternatives' log probabilities, numbers and texts.
    public static let tokenDetailBytes = 16 << 10

    /// Tokens that may share a message to a client at its wish.
    public static let transferTokens = 64

    /// Biases of a job: each is applied at each token.
    public static let logitBiases = 1_024

    /// Characters of a message about a failure.
    public static let errorMessageCharacters = 1_000

    /// Workers that may be registered, those that are gone but still shown included.
    public static let workers = 16_384

    /// Slots of a worker: its step message still fits into a frame.
    public static let slots = 16_384

    /// Blocks of prompts in a worker's message, kept and dropped together: their names take half a frame.
    public static let blocksPerStep = 65_536

    /// Tokens by which a stream may run ahead of its consumer's credit; each consumer grants at most this many.
    public static let creditWindow = 65_536
}
