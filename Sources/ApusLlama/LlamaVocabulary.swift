#if APUS_LLAMA
import ApusModel
internal import CLlama

/// A model's vocabulary: text to tokens by llama.cpp, tokens to text from a table of its own.
struct LlamaVocabulary {
    private let model: LlamaModel
    private let pieces: [UInt8]
    /// Where each token's piece begins, and where the last one ends.
    private let offsets: [Int]
    private let ending: [Bool]

    /// Reads the whole vocabulary, so that a token's text costs no call later.
    init(model: LlamaModel) {
        self.model = model
        let size = model.vocabularySize
        var pieces: [UInt8] = []
        var offsets = [0]
        var ending = [Bool](repeating: false, count: size)
        offsets.reserveCapacity(size + 1)
        for token in 0..<size {
            Self.appendPiece(of: Int32(token), in: model, to: &pieces)
            offsets.append(pieces.count)
            ending[token] = llama_vocab_is_eog(model.vocabulary, Int32(token))
        }
        self.pieces = pieces
        self.offsets = offsets
        self.ending = ending
    }

    /// The number of tokens.
    var count: Int { ending.count }

    /// Appends the bytes of a token's text; nothing for a special token or one that the vocabulary doesn't have.
    func appendText(of token: TokenID, to bytes: inout [UInt8]) {
        let index = Int(token.rawValue)
        guard ending.indices.contains(index) else { return }
        bytes.append(contentsOf: pieces[offsets[index]..<offsets[index + 1]])
    }

    /// Whether the model ends its answer with this token.
    func endsGeneration(_ token: TokenID) -> Bool {
        let index = Int(token.rawValue)
        return ending.indices.contains(index) && ending[index]
    }

    /// The token that begins every sequence, if the model was trained with one.
    var beginning: TokenID? {
        guard llama_vocab_get_add_bos(model.vocabulary) else { return nil }
        let token = llama_vocab_bos(model.vocabulary)
        return token >= 0 ? TokenID(rawValue: token) : nil
    }

    /// Cuts a text into tokens; adds none at either end.
    ///
    /// - Parameters:
    ///   - text: The text.
    ///   - parsesSpecials: Whether `<|im_end|>` and its like become the special tokens that they name; else they are text.
    /// - Returns: The tokens; none for an empty text.
    func tokenize(_ text: String, parsesSpecials: Bool) -> [TokenID] {
        func cut(
            _ text: UnsafePointer<CChar>?,
            _ length: Int32,
            _ tokens: UnsafeMutablePointer<llama_token>,
            _ room: Int32
        )
            -> Int32
        {
            llama_tokenize(model.vocabulary, text, length, tokens, room, false, parsesSpecials)
        }
        var text = text
        return text.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { characters in
                // A token holds at least one byte, but for a space that some models put in front.
                var tokens = [llama_token](repeating: 0, count: characters.count + 2)
                let capacity = Int32(tokens.count)
                let length = Int32(characters.count)
                // Invariant: the text has `length` bytes and the buffer room for `capacity` tokens.
                var count = cut(characters.baseAddress, length, &tokens, capacity)
                if count < 0, count > Int32.min {
                    tokens = [llama_token](repeating: 0, count: Int(-count))
                    // Invariant: as above, with the room that llama.cpp asked for.
                    count = cut(characters.baseAddress, length, &tokens, -count)
                }
                return tokens.prefix(Int(max(0, count))).map(TokenID.init(rawValue:))
            }
        }
    }

    private static func appendPiece(of token: llama_token, in model: LlamaModel, to pieces: inout [UInt8]) {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            // Invariant: the buffer has the length that is passed.
            let length = llama_token_to_piece(model.vocabulary, token, buffer.baseAddress, 256, 0, false)
            if length >= 0 {
                for character in buffer.prefix(Int(length)) { pieces.append(UInt8(bitPattern: character)) }
                return
            }
            var long = [CChar](repeating: 0, count: Int(-length))
            // Invariant: as above, with the room that llama.cpp asked for.
            let written = llama_token_to_piece(model.vocabulary, token, &long, -length, 0, false)
            for character in long.prefix(Int(max(0, written))) { pieces.append(UInt8(bitPattern: character)) }
        }
    }
}
#endif
