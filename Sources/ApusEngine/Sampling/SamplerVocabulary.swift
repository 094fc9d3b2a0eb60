public import ApusModel

/// What a sampler has to know of a model's vocabulary.
public struct SamplerVocabulary {
    /// The number of tokens, which is that of a row's logits.
    public var size: Int

    /// The tokens with which the model ends an answer.
    public var endOfGeneration: [TokenID]

    /// Appends the bytes of a token's text; asked only for requests with DRY, once for each token that occurs.
    public var appendText: (TokenID, inout [UInt8]) -> Void

    /// Describes a vocabulary.
    public init(
        size: Int,
        endOfGeneration: [TokenID],
        appendText: @escaping (TokenID, inout [UInt8]) -> Void
    ) {
        self.size = size
        self.endOfGeneration = endOfGeneration
        self.appendText = appendText
    }
}
