/// The estimate of a request's cost in tokens, before any worker has seen it.
enum TokenWork {
    /// Bytes of text that make a token on average; common for English in vocabularies of 32,000 to 256,000 tokens.
    static let bytesPerToken = 4

    /// The tokens that a prompt probably has; at least 1.
    static func promptTokens(bytes: Int) -> Int { max(1, (bytes + bytesPerToken - 1) / bytesPerToken) }

    /// The work of a request: its prompt and its output.
    static func expected(promptBytes: Int, outputTokens: Int) -> Int { promptTokens(bytes: promptBytes) + outputTokens }
}
