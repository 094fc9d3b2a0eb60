import ApusEngine
import ApusModel

/// What `apus worker --describe` prints of a model.
struct ModelDescription: Encodable {
    let model: String
    let engine: String
    let fingerprint: String
    let exactness: String
    let slots: Int
    let contextTokens: Int
    let vocabularyTokens: Int
    let prefillQuantum: Int
    let prefillChunk: Int
    let replayChunk: Int
    let draftWidths: [Int]
    let chatTemplate: String?

    /// Takes what an engine says of itself.
    init(_ description: EngineDescription) {
        model = description.model.text
        engine = description.engine
        fingerprint = "\(description.fingerprint)"
        exactness = description.exactness.rawValue
        slots = description.slots
        contextTokens = description.contextTokens
        vocabularyTokens = description.vocabularySize
        prefillQuantum = description.prefillQuantum
        prefillChunk = description.prefillChunk
        replayChunk = description.replayChunk
        draftWidths = description.draftWidths
        chatTemplate = description.chatTemplate
    }

    private enum CodingKeys: String, CodingKey {
        case model, engine, fingerprint, exactness, slots
        case contextTokens = "context_tokens"
        case vocabularyTokens = "vocabulary_tokens"
        case prefillQuantum = "prefill_quantum"
        case prefillChunk = "prefill_chunk"
        case replayChunk = "replay_chunk"
        case draftWidths = "draft_widths"
        case chatTemplate = "chat_template"
    }
}
