public import ApusModel

/// Names the beginnings of a prompt, so that coordinator and worker speak of the same cached state without a tokenizer.
///
/// A prompt's text is cut into blocks of `blockBytes`; a block's name is a hash over it and everything before it, so that equal
/// names mean equal beginnings. The last, incomplete block has no name.
public enum PrefixBlocks {
    /// Bytes of a block: about a canonical prefill chunk of 128 tokens.
    public static let blockBytes = 512

    /// Blocks of a prompt that are named; what comes after them is never thought cached.
    public static let limit = 256

    /// The names of the blocks of a request's prompt, first block first.
    ///
    /// Messages count as the text of each role and content in turn, with a zero byte behind each; a single message of the
    /// user counts as a prompt.
    ///
    /// - Returns: At most `limit` names.
    public static func names(of request: GenerationRequest) -> [UInt64] {
        if let prompt = request.plainPrompt { return names(of: prompt, isRaw: request.isRaw) }
        var text = ""
        for message in request.messages {
            text += message.role + "\0" + message.content + "\0"
            if text.utf8.count >= blockBytes * limit { break }
        }
        return names(of: text, isRaw: false)
    }

    /// The names of a prompt's blocks, first block first.
    ///
    /// - Parameters:
    ///   - prompt: The prompt's text, as the client sent it.
    ///   - isRaw: Whether it goes to the model without a template, which makes other tokens of it.
    /// - Returns: At most `limit` names.
    public static func names(of prompt: String, isRaw: Bool) -> [UInt64] {
        var prompt = prompt
        return prompt.withUTF8 { bytes in
            let count = min(bytes.count / blockBytes, limit)
            var names: [UInt64] = []
            names.reserveCapacity(count)
            var state: UInt64 = isRaw ? 0x9e37_79b9_7f4a_7c15 : 0xd1b5_4a32_d192_ed03
            for block in 0..<count {
                let words = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[(block * blockBytes)...])
                for word in 0..<blockBytes / 8 {
                    let value = UInt64(littleEndian: words.loadUnaligned(fromByteOffset: word * 8, as: UInt64.self))
                    state = (state ^ value) &* 0xff51_afd7_ed55_8ccd
                    state ^= state >> 32
                }
                names.append(state)
            }
            return names
        }
    }
}

extension PrefixBlocks {
    /// How many blocks of a request's prompt have names.
    static func count(of request: GenerationRequest) -> Int { min(request.promptBytes / blockBytes, limit) }
}

extension GenerationRequest {
    /// The names of the blocks of its prompt.
    package var prefixBlocks: [UInt64] { PrefixBlocks.names(of: self) }
}
