#if APUS_LLAMA
import ApusModel
internal import CLlama

/// A model's chat template around one user message, as the tokens before and after it.
///
/// The template is rendered once, around a stand-in for the message. Its own parts become tokens with special ones among
/// them; a message is cut as plain text later, so that `<|im_end|>` in it stays text and can't end the message.
struct ChatTemplate {
    /// What comes before the user's message.
    let head: [TokenID]

    /// What comes after it, up to the beginning of the answer.
    let tail: [TokenID]

    /// Renders a template.
    ///
    /// - Returns: `nil` if the model has no template, or one that llama.cpp can't apply.
    init?(model: LlamaModel, vocabulary: LlamaVocabulary) {
        guard let source = model.chatTemplate, let rendered = Self.render(source) else { return nil }
        let places = rendered.ranges(of: Self.standIn)
        guard places.count == 1, let place = places.first else { return nil }
        head = vocabulary.tokenize(String(rendered[..<place.lowerBound]), parsesSpecials: true)
        tail = vocabulary.tokenize(String(rendered[place.upperBound...]), parsesSpecials: true)
    }

    /// A text that no template holds by itself.
    private static let standIn = "APUS-USER-MESSAGE-5F0C9E"

    private static func render(_ source: String) -> String? {
        source.withCString { source in
            "user".withCString { role in
                standIn.withCString { content in
                    var message = llama_chat_message(role: role, content: content)
                    // Invariant: all texts outlive the call; without a buffer it only counts.
                    let length = llama_chat_apply_template(source, &message, 1, true, nil, 0)
                    guard length > 0 else { return nil }
                    var buffer = [CChar](repeating: 0, count: Int(length) + 1)
                    // Invariant: the buffer has the length that is passed, one more than the text.
                    guard llama_chat_apply_template(source, &message, 1, true, &buffer, length + 1) == length else {
                        return nil
                    }
                    return String(decoding: buffer.prefix(Int(length)).map(UInt8.init(bitPattern:)), as: UTF8.self)
                }
            }
        }
    }
}
#endif
