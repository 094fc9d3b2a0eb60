#if APUS_LLAMA
import ApusModel

/// Chats to tokens, through the model's own template.
///
/// The rendered text is cut into tokens as a whole, as it was when the model was trained: a space of the template
/// merges with the first word of a message. Only where a message holds the text of a control token, such as
/// `<|im_end|>`, the text is cut in the middle of it first, so that it stays text and can't end the message. Two things
/// find such places: a byte that no text has is put into them before the template runs, which holds whatever the
/// template does with a content; and what the engine marks as input is searched in the result, for texts that came
/// about only there.
///
/// A vocabulary that puts a space before every text (SentencePiece's, as in Llama 2) does so behind such a cut, too.
struct ChatTokenizer {
    private let template: ChatTemplate
    private let vocabulary: LlamaVocabulary
    private let controlTexts: ControlTexts

    /// A byte that UTF-8 doesn't have.
    private static let guardByte: UInt8 = 0xFF

    /// Reads a model's template.
    ///
    /// - Throws: `unsupported` if the model has no template or one that can't be read.
    init(model: LlamaModel, vocabulary: LlamaVocabulary) throws(ApusError) {
        guard let source = model.chatTemplate else { throw ApusError(.unsupported, "has no chat template") }
        try self.init(source: source, vocabulary: vocabulary)
    }

    /// Reads a template, for a vocabulary that it need not belong to.
    ///
    /// - Throws: `unsupported` if it can't be read.
    init(source: String, vocabulary: LlamaVocabulary) throws(ApusError) {
        do throws(ApusError) {
            template = try ChatTemplate(
                source: source,
                beginning: vocabulary.beginningText,
                end: vocabulary.endText
            )
        } catch {
            throw ApusError(.unsupported, "has a chat template that can't be used: \(error.message)")
        }
        self.vocabulary = vocabulary
        controlTexts = ControlTexts(vocabulary.controlTexts)
    }

    /// Cuts a chat into tokens, up to the beginning of the assistant's answer; adds no beginning token.
    ///
    /// - Throws: `invalidRequest`, with what the template says, if it refuses the messages.
    func tokenize(_ chat: [ChatMessage]) throws(ApusError) -> [TokenID] {
        let rendering: ChatTemplate.Rendering
        do throws(ApusError) {
            rendering = try template.render(
                roles: chat.map(\.role),
                contents: chat.map { guarded(Array($0.content.utf8)) }
            )
        } catch {
            throw ApusError(.invalidRequest, "the model's chat template \(error.message)")
        }
        return pieces(of: rendering).flatMap { vocabulary.tokenize($0, parsesSpecials: true) }
    }

    /// A content with the guard in each text of a control token.
    private func guarded(_ content: [UInt8]) -> [UInt8] {
        let occurrences = controlTexts.occurrences(in: content)
        guard !occurrences.isEmpty else { return content }
        var result: [UInt8] = []
        result.reserveCapacity(content.count + occurrences.count)
        var place = 0
        for occurrence in occurrences {
            result += content[place..<occurrence.cut]
            result.append(Self.guardByte)
            place = occurrence.cut
        }
        return result + content[place...]
    }

    /// A rendered text, cut at guards and in control texts that contents take part in; a guard itself is left out.
    private func pieces(of rendering: ChatTemplate.Rendering) -> [String] {
        let text = rendering.text
        var inputs = rendering.inputs[...]
        var cuts: [Int] = []
        for occurrence in controlTexts.occurrences(in: text) {
            while let first = inputs.first, first.upperBound <= occurrence.start { inputs.removeFirst() }
            if let first = inputs.first, first.lowerBound < occurrence.end {
                cuts.append(max(occurrence.cut, first.lowerBound))
            }
        }
        cuts.append(text.count)
        var pieces: [String] = []
        var start = 0
        for cut in cuts {
            for part in text[start..<cut].split(separator: Self.guardByte) {
                // A template may have taken a character apart; it is repaired, as the engine would.
                pieces.append(String(decoding: part, as: UTF8.self))
            }
            start = cut
        }
        return pieces
    }
}
#endif
