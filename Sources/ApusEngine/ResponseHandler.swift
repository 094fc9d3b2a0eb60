public import ApusModel

/// Turns the tokens of one stream into the texts that its client sees, and says when the stream ends.
///
/// Every sampled token is one event. Its text is whole UTF-8: the bytes of an unfinished character wait for the token
/// that completes it, and text that may be the beginning of a stop string waits until it is sure not to be one; the last
/// token brings what is left. A stop string is never shown, not even a part of it, wherever its bytes were cut.
///
/// The state depends on the tokens alone, in order: a handler that is fed a stream's history goes on exactly where the
/// first one stopped. Cheap where there is nothing to do: ASCII text without stop strings passes without a copy.
public struct ResponseHandler: Sendable {
    /// Bytes of a token's own text that count; real ones have a few dozen, and what lies beyond is dropped.
    ///
    /// Repair makes at most three bytes of one, and at most a stop string is held back, so that no token's text exceeds
    /// `releasedBytes`.
    static let tokenBytes = 4 << 10

    /// The most bytes of text that a token can release.
    static let releasedBytes = 16 << 10

    private let maximumTokens: Int
    private let minimumTokens: Int
    private let ignoresEndOfGeneration: Bool
    private var repair = TextRepair()
    private var matcher: StopMatcher
    /// Repaired text that is not released: all of it may still become a stop string.
    private var held: [UInt8] = []
    private var accepted = 0
    private var hasEnded = false

    /// Starts before the first token of a stream.
    ///
    /// - Parameters:
    ///   - request: Gives the stop strings and whether the end-of-generation token counts.
    ///   - maximumTokens: The stream's length limit: that of the request, or less where the context ends earlier.
    public init(request: GenerationRequest, maximumTokens: Int) {
        self.maximumTokens = maximumTokens
        minimumTokens = request.minimumTokens
        ignoresEndOfGeneration = request.ignoresEndOfGeneration
        matcher = StopMatcher(request.stop)
    }

    /// How many tokens the stream may still get.
    var remainingTokens: Int { maximumTokens - accepted }

    /// Takes the stream's next token.
    ///
    /// - Parameters:
    ///   - endsGeneration: Whether the model ends its answer with this token.
    ///   - text: Holds the token's raw bytes from `start` on; they are replaced by the text that is released with it.
    ///   - start: Where the token's bytes begin.
    /// - Returns: Why the stream ends with this token, or `nil`. Afterwards no more tokens are taken.
    public mutating func accept(
        endsGeneration: Bool,
        text: inout [UInt8],
        from start: Int
    ) -> FinishReason? {
        precondition(!hasEnded, "a token after the stream's end")
        accepted += 1
        if text.count - start > Self.tokenBytes { text.removeSubrange((start + Self.tokenBytes)...) }
        let ends = endsGeneration && !ignoresEndOfGeneration && accepted > minimumTokens
        let reason: FinishReason? = ends ? .stop : accepted >= maximumTokens ? .length : nil
        if matcher.isEmpty, repair.isWhole, TextRepair.isWhole(text, from: start) {
            hasEnded = reason != nil
            return reason
        }
        return rewrite(reason, text: &text, from: start)
    }

    /// The general case: repair, look for stop strings, release what is safe.
    private mutating func rewrite(_ reason: FinishReason?, text: inout [UInt8], from start: Int) -> FinishReason? {
        var fresh: [UInt8] = []
        fresh.reserveCapacity(text.count - start + 4)
        for byte in text[start...] { repair.accept(byte, to: &fresh) }
        text.removeSubrange(start...)
        if reason != nil { repair.finish(to: &fresh) }
        if matcher.isEmpty {
            text.append(contentsOf: fresh)
            hasEnded = reason != nil
            return reason
        }
        if accepted <= minimumTokens {
            // Nothing can stop the stream yet, so that nothing has to be held back.
            text.append(contentsOf: fresh)
            hasEnded = reason != nil
            return reason
        }
        for byte in fresh {
            held.append(byte)
            guard let match = matcher.accept(byte) else { continue }
            text.append(contentsOf: held.dropLast(match))
            held = []
            hasEnded = true
            return .stop
        }
        // A stop string begins with a whole character, so what precedes its possible beginning is whole as well.
        let safe = reason == nil ? held.count - matcher.heldBytes : held.count
        text.append(contentsOf: held[..<safe])
        held.removeFirst(safe)
        hasEnded = reason != nil
        return reason
    }
}
