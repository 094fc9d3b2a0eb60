import ApusClient
import ApusEngine
import ApusModel

/// The one true sequence of a stream, which everything that readers get is checked against.
struct ExpectedStream: Sendable {
    /// The tokens' numbers.
    private(set) var ids: [Int32] = []

    /// The tokens' texts, back to back.
    private(set) var utf8: [UInt8] = []

    /// Where each token's text ends.
    private var ends: [Int] = []

    /// How it ends.
    private(set) var reason = FinishReason.length

    /// How many tokens it has.
    var count: Int { ids.count }

    /// What the simulated engine makes of a request.
    ///
    /// - Parameters:
    ///   - request: The request, with a seed and a prompt.
    ///   - choice: Which of its streams.
    init(simulated request: GenerationRequest, choice: Int) {
        let seed = GenerationRequest.seed(ofChoice: choice, of: request.sampling.seed ?? 0)
        ids.reserveCapacity(request.maximumTokens)
        for index in 0..<request.maximumTokens {
            let token = SimulatedEngine.token(seed: seed, prompt: request.prompt, index: index)
            ids.append(token.rawValue)
            utf8.append(contentsOf: SimulatedEngine.text(of: token).utf8)
            ends.append(utf8.count)
        }
    }

    /// A stream that is recorded while nobody disturbs it.
    init() {}

    /// Records tokens.
    mutating func append(_ batch: TokenBatch) {
        ids += batch.ids
        for length in batch.textLengths { ends.append((ends.last ?? 0) + Int(length)) }
        utf8 += batch.utf8
    }

    /// Records the end.
    mutating func finish(_ reason: FinishReason) { self.reason = reason }

    /// Compares tokens with those of the sequence.
    ///
    /// - Parameters:
    ///   - ids: The tokens' numbers.
    ///   - text: Their texts, back to back.
    ///   - index: The first one's place.
    /// - Returns: What is wrong; `nil` where nothing is.
    func difference(
        _ ids: some Collection<Int32>,
        text: some Collection<UInt8>,
        from index: Int
    ) -> String? {
        guard index >= 0, index + ids.count <= count else {
            return "tokens \(index) to \(index + ids.count - 1) came of a stream of \(count)"
        }
        for (place, id) in ids.enumerated() where id != self.ids[index + place] {
            return "token \(index + place) is \(id) instead of \(self.ids[index + place])"
        }
        guard !ids.isEmpty else { return nil }
        let begin = index == 0 ? 0 : ends[index - 1]
        let expected = utf8[begin..<ends[index + ids.count - 1]]
        guard expected.elementsEqual(text) else { return "the text of tokens from \(index) on is another one" }
        return nil
    }
}
