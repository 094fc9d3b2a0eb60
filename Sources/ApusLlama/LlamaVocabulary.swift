#if APUS_LLAMA
import ApusModel
internal import CLlama

/// A model's vocabulary: text to tokens by llama.cpp, tokens to text from a table of its own.
struct LlamaVocabulary {
    private let model: LlamaModel
    private let texts: [UInt8]
    /// Where each token's piece begins, and where the last one ends.
    private let offsets: [Int]
    private let ending: [Bool]
    /// The names of special tokens, which have no piece.
    private let specials: [Int32: [UInt8]]

    /// Reads the whole vocabulary, so that a token's text costs no call later.
    init(model: LlamaModel) {
        self.model = model
        let size = model.vocabularySize
        var pieces: [UInt8] = []
        var offsets = [0]
        var ending = [Bool](repeating: false, count: size)
        var specials: [Int32: [UInt8]] = [:]
        offsets.reserveCapacity(size + 1)
        for token in 0..<size {
            Self.appendPiece(of: Int32(token), in: model, to: &pieces)
            if pieces.count == offsets[token] {
                var name: [UInt8] = []
                Self.appendPiece(of: Int32(token), in: model, asSpecial: true, to: &name)
                if !name.isEmpty { specials[Int32(token)] = name }
            }
            offsets.append(pieces.count)
            ending[token] = llama_vocab_is_eog(model.vocabulary, Int32(token))
        }
        texts = pieces
        self.offsets = offsets
        self.ending = ending
        self.specials = specials
    }

    /// The bytes of each token's text; none for special tokens.
    var pieces: [[UInt8]] { (0..<count).map { Array(texts[offsets[$0]..<offsets[$0 + 1]]) } }

    /// The number of tokens.
    var count: Int { ending.count }

    /// Appends the bytes of a token's text; nothing for one that the vocabulary doesn't have, and for a special token unless
    /// specials are shown.
    func appendText(of token: TokenID, showingSpecials: Bool = false, to bytes: inout [UInt8]) {
        let index = Int(token.rawValue)
        guard ending.indices.contains(index) else { return }
        bytes.append(contentsOf: texts[offsets[index]..<offsets[index + 1]])
        if showingSpecials, let name = specials[token.rawValue] { bytes.append(contentsOf: name) }
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

    /// The text of the token that begins a sequence; empty if there is none.
    var beginningText: String { text(of: llama_vocab_bos(model.vocabulary)) }

    /// The text of the token that ends a sequence; empty if there is none.
    var endText: String { text(of: llama_vocab_eos(model.vocabulary)) }

    /// The texts of all tokens that `tokenize` only makes where it parses specials.
    var controlTexts: [String] {
        (0..<Int32(count)).compactMap { token in
            let attributes = llama_vocab_get_attr(model.vocabulary, token).rawValue
            let special = LLAMA_TOKEN_ATTR_CONTROL.rawValue | LLAMA_TOKEN_ATTR_UNKNOWN.rawValue
            return attributes & special != 0 ? text(of: token) : nil
        }
    }

    private func text(of token: llama_token) -> String {
        guard token >= 0, token < count, let text = llama_vocab_get_text(model.vocabulary, token) else { return "" }
        // Invariant: the vocabulary's texts live as long as the model, which this value holds.
        return String(cString: text)
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

    private static func appendPiece(
        of token: llama_token,
        in model: LlamaModel,
        asSpecial: Bool = false,
        to pieces: inout [UInt8]
    ) {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            // Invariant: the buffer has the length that is passed.
            let length = llama_token_to_piece(model.vocabulary, token, buffer.baseAddress, 256, 0, asSpecial)
            if length >= 0 {
                for character in buffer.prefix(Int(length)) { pieces.append(UInt8(bitPattern: character)) }
                return
            }
            var long = [CChar](repeating: 0, count: Int(-length))
            // Invariant: as above, with the room that llama.cpp asked for.
            let written = llama_token_to_piece(model.vocabulary, token, &long, -length, 0, asSpecial)
            for character in long.prefix(Int(max(0, written))) { pieces.append(UInt8(bitPattern: character)) }
        }
    }
}
#endif
