public import ApusGrammar
public import ApusModel

/// Draws the tokens of one stream: the sampler, and the grammar that the output has to keep to, if there is one.
///
/// A token is drawn without the grammar first and kept where the grammar allows it, which it mostly does; otherwise the draw is
/// repeated with another random number of the same index among the tokens that it allows, so that each of them is drawn as often
/// as the distribution says. State is a function of the request, the prompt and
/// the tokens so far, so that a stream goes on anywhere.
public struct StreamDrawing {
    private var sampler: SequenceSampler
    private var grammar: GrammarState?
    private let alternatives: Int?
    private let end: TokenID?

    /// A stream before its first token.
    ///
    /// - Parameters:
    ///   - request: What is asked for.
    ///   - prompt: The prompt's tokens.
    ///   - vocabulary: The model's vocabulary.
    ///   - grammar: The grammar of the request's constraint; `nil` where it has none.
    /// - Throws: `invalidRequest` for a grammar that can't even begin.
    public init(
        request: GenerationRequest,
        prompt: [TokenID],
        vocabulary: SamplerVocabulary,
        grammar: Grammar?
    ) throws(ApusError) {
        sampler = SequenceSampler(request: request, prompt: prompt, vocabulary: vocabulary)
        alternatives = request.logprobs
        end = vocabulary.endOfGeneration.first
        do throws(GrammarError) {
            if let grammar { self.grammar = try GrammarState(grammar) }
        } catch {
            throw ApusError(.invalidRequest, error.message)
        }
    }

    /// Takes a token that was drawn before.
    ///
    /// - Parameters:
    ///   - token: The stream's next token.
    ///   - matcher: Knows the tokens' texts.
    /// - Throws: `engineFailure` if the grammar doesn't allow it: the history is not this request's.
    public mutating func accept(_ token: TokenID, matcher: TokenMatcher?) throws(ApusError) {
        if let grammar, let matcher, !matcher.isAllowed(Int(token.rawValue), in: grammar) {
            throw ApusError(
                .engineFailure,
                "token \(sampler.generated) of the history is not one that the grammar allows"
            )
        }
        advance(token, matcher: matcher)
    }

    /// Draws the stream's next token and takes it.
    ///
    /// - Parameters:
    ///   - logits: One logit for each token of the vocabulary.
    ///   - index: The token's place in the stream.
    ///   - matcher: Knows which tokens a grammar allows; needed where there is one.
    ///   - scratch: Working memory, of the calling thread.
    /// - Returns: The token, and what its request wants to know of its probability.
    /// - Throws: `engineFailure` where nothing can be drawn.
    public mutating func draw(
        from logits: UnsafeBufferPointer<Float>,
        index: Int,
        matcher: inout TokenMatcher?,
        scratch: SamplerScratch
    ) throws(ApusError) -> (token: TokenID, logprobs: TokenLogprobs?) {
        var token = try sampler.draw(from: logits, index: index, scratch: scratch)
        if let grammar, matcher?.isAllowed(Int(token.rawValue), in: grammar) == false {
            token = try draw(from: logits, index: index, grammar: grammar, matcher: &matcher, scratch: scratch)
        }
        var logprobs: TokenLogprobs?
        if let alternatives {
            logprobs = try TokenLogprobs(of: logits, drawn: token, alternatives: alternatives, scratch: scratch)
        }
        advance(token, matcher: matcher)
        return (token, logprobs)
    }

    private func draw(
        from logits: UnsafeBufferPointer<Float>,
        index: Int,
        grammar: GrammarState,
        matcher: inout TokenMatcher?,
        scratch: SamplerScratch
    ) throws(ApusError) -> TokenID {
        // A complete text ends, even before `min_tokens`: nothing else could follow.
        if grammar.mustEnd, let end { return end }
        let mask: TokenMask?
        do throws(GrammarError) {
            mask = try matcher?.allowed(grammar)
        } catch {
            throw ApusError(.engineFailure, "the grammar can't go on at index \(index): \(error.message)")
        }
        return try sampler.draw(from: logits, index: index, mask: mask, isRepeated: true, scratch: scratch)
    }

    private mutating func advance(_ token: TokenID, matcher: TokenMatcher?) {
        sampler.accept(token)
        guard var state = grammar, let matcher else { return }
        // In place: a copy of the state would cost its size a token.
        grammar = nil
        matcher.accept(Int(token.rawValue), in: &state)
        grammar = state
    }
}
