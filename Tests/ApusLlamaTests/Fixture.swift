#if APUS_LLAMA
import ApusEngine
import ApusModel
import Testing

@testable import ApusLlama

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// The default model, loaded once for all tests; they run on the main thread, one after the other.
@MainActor
enum Fixture {
    /// `$APUS_MODEL`, or where set-up puts the default model.
    static let path: String = {
        func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
        return variable("APUS_MODEL")
            ?? (variable("HOME") ?? "") + "/.local/share/apus/models/SmolLM2-135M-Instruct-Q4_0.gguf"
    }()

    private static let loadedModel = Result { try LlamaModel(file: ModelFile(path: path)) }
    private static let loadedEngine = Result {
        try LlamaEngine(configuration: LlamaConfiguration(modelPath: path, threads: 1, slots: 4, contextTokens: 1_024))
    }

    /// The weights alone.
    static func model() throws -> LlamaModel {
        try #require(access(path, R_OK) == 0, "there is no model at \(path): run Scripts/setup.sh")
        return try loadedModel.get()
    }

    /// An engine of 4 slots with 1,024 tokens each, on one thread.
    static func engine() throws -> LlamaEngine {
        _ = try model()
        return try loadedEngine.get()
    }

    /// Sequences of their own over the shared weights; their prompts are padded to whole quanta, as the probe finds right.
    ///
    /// One thread unless a test is about more: llama.cpp's threads spin for each other, which costs much where other tests
    /// take the processors.
    static func sequences(
        threads: Int = 1,
        slots: Int = 4,
        contextTokens: Int = 768,
        passTokens: Int = 128
    ) throws -> LlamaSequences {
        let sequences = try LlamaSequences(
            model: try model(),
            slots: slots,
            contextTokens: contextTokens,
            passTokens: passTokens,
            threads: threads
        )
        sequences.padsPrompts = true
        return sequences
    }

    /// Tokens of a fixed sequence; each number of `stream` has its own.
    static func tokens(_ count: Int, stream: UInt64 = 7) -> [TokenID] {
        (0..<count).map { index in
            TokenID(rawValue: Int32(CounterRandom.bits(seed: stream, index: UInt64(index)) % 49_000))
        }
    }
}

extension LlamaSequences {
    /// Takes a slot and prefills a prompt in chunks of 128, or others; returns the hash of the last logits.
    @discardableResult
    func begin(_ slot: Int, prompt: ArraySlice<TokenID>, widths: [Int] = [128]) throws -> WeightsDigest {
        occupy(slot)
        return try fill(slot, prompt: prompt, from: 0, widths: widths)
    }

    /// Prefills the rest of a prompt in chunks whose widths repeat; returns the hash of the last logits.
    @discardableResult
    func fill(_ slot: Int, prompt: ArraySlice<TokenID>, from position: Int, widths: [Int]) throws -> WeightsDigest {
        var start = position
        var place = 0
        while start < prompt.count {
            let part = prompt.dropFirst(start).prefix(widths[place % widths.count])
            try feed(prompt: part, to: slot, at: start, wantsLogits: start + part.count == prompt.count)
            start += part.count
            place += 1
        }
        return try digest(ofRow: 0)
    }

    /// Feeds tokens in chunks whose widths repeat; returns the hash of the last logits.
    @discardableResult
    func replay(_ slot: Int, tokens: ArraySlice<TokenID>, from position: Int, widths: [Int]) throws -> WeightsDigest {
        var start = 0
        var place = 0
        while start < tokens.count {
            let part = tokens.dropFirst(start).prefix(widths[place % widths.count])
            place += 1
            let logits = start + part.count == tokens.count ? 1 : 0
            try feed(drawn: part, to: slot, at: position + start, logits: logits)
            start += part.count
        }
        return try digest(ofRow: 0)
    }

    /// Decodes tokens one by one with nobody beside; returns the hash of the logits after each.
    func decodeAlone(_ slot: Int, tokens: ArraySlice<TokenID>, from position: Int) throws -> [WeightsDigest] {
        try tokens.enumerated().map { offset, token in
            try feed([DecodeRow(slot: slot, token: token, position: position + offset)])
            return try digest(ofRow: 0)
        }
    }

    /// The hash of the logits after a row of the last pass.
    func digest(ofRow row: Int) throws -> WeightsDigest {
        try withLogits(ofRow: row) { WeightsDigest(of: UnsafeRawBufferPointer($0)) }
    }
}

extension LlamaEngine {
    /// Runs a pass over a single sequence; returns what it drew.
    @discardableResult
    func run(
        _ kind: Pass.Kind,
        _ tokens: some Collection<TokenID>,
        in slot: Int,
        at position: Int,
        drawing index: Int?,
        drafts: Int = 0
    ) throws -> [TokenID] {
        var pass = Pass(kind: kind)
        pass.append(tokens, to: slot, at: position, drawing: index, drafts: drafts)
        var outcome = PassOutcome()
        try run(pass, into: &outcome)
        #expect(outcome.counts == [outcome.tokens.count])
        return outcome.tokens
    }

    /// Occupies a slot, runs a prompt and draws some tokens one by one.
    func start(
        _ prompt: [TokenID],
        sampling: SamplingParameters = SamplingParameters(),
        count: Int,
        in slot: Int
    ) throws -> [TokenID] {
        let request = GenerationRequest(prompt: "x", sampling: sampling)
        try occupy(slot: slot, request: request, prompt: prompt, history: [])
        let first = try run(.prompt, prompt, in: slot, at: 0, drawing: 0)
        return try proceed(first, behind: prompt.count, count: count, in: slot)
    }

    /// Draws tokens one by one behind those that were drawn; returns all of them.
    func proceed(_ drawn: [TokenID], behind prompt: Int, count: Int, in slot: Int) throws -> [TokenID] {
        var tokens = drawn
        while tokens.count < count {
            let position = prompt + tokens.count - 1
            tokens += try run(.drawn, tokens.suffix(1), in: slot, at: position, drawing: tokens.count)
        }
        return tokens
    }
}
#endif
