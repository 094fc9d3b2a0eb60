import ApusModel

/// A stream that needs a worker.
struct PlacementQuery: Sendable {
    /// The stream.
    var stream: StreamID

    /// The number of the attempt that is to begin; with the stream it decides which workers are looked at.
    var epoch: Epoch

    /// Tokens of its prompt; an estimate.
    var promptTokens: Int

    /// Tokens that it has already and that must be computed again.
    var historyTokens: Int

    /// Its prompt's blocks, as `PrefixBlocks` names them; empty where caching does not matter.
    var blocks: [UInt64]

    /// The context that the worker must have.
    var contextTokens: Int

    /// The fingerprint that computed its tokens; workers with it come first, whatever their load.
    var fingerprint: Fingerprint?

    /// A worker's place that is never chosen, such as the one whose attempt is hedged.
    var avoiding: Int?

    /// The place of the worker that runs another stream with the same prompt, and so many blocks of it.
    var sibling: Int?
    var siblingBlocks: Int

    /// Describes a stream.
    init(
        stream: StreamID,
        epoch: Epoch,
        promptTokens: Int,
        historyTokens: Int = 0,
        blocks: [UInt64] = [],
        contextTokens: Int,
        fingerprint: Fingerprint? = nil,
        avoiding: Int? = nil,
        sibling: Int? = nil,
        siblingBlocks: Int = 0
    ) {
        self.stream = stream
        self.epoch = epoch
        self.promptTokens = promptTokens
        self.historyTokens = historyTokens
        self.blocks = blocks
        self.contextTokens = contextTokens
        self.fingerprint = fingerprint
        self.avoiding = avoiding
        self.sibling = sibling
        self.siblingBlocks = siblingBlocks
    }

    /// Blocks of the prompt that a worker has computed for another stream, or is about to.
    @inline(__always)
    func sharedBlocks(with worker: Int) -> Int { worker == sibling ? siblingBlocks : 0 }
}
