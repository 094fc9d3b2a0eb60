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

    /// Sequences of their own over the shared weights.
    ///
    /// One thread unless a test is about more: llama.cpp's threads spin for each other, which costs much where other tests
    /// take the processors.
    static func sequences(threads: Int = 1, slots: Int = 4, contextTokens: Int = 768) throws -> LlamaSequences {
        try LlamaSequences(
            model: try model(),
            slots: slots,
            contextTokens: contextTokens,
            passTokens: 128,
            threads: threads
        )
    }

    /// Tokens of a fixed sequence; each number of `stream` has its own.
    static func tokens(_ count: Int, stream: UInt64 = 7) -> [TokenID] {
        (0..<count).map { index in
            TokenID(rawValue: Int32(CounterRandom.bits(seed: stream, index: UInt64(index)) % 49_000))
        }
    }
}

extension LlamaSequences {
    /// Takes a slot and prefills a prompt in canonical chunks of 128; returns the hash of the last logits.
    @discardableResult
    func begin(_ slot: Int, prompt: ArraySlice<TokenID>) throws -> WeightsDigest {
        occupy(slot)
        return try replay(slot, tokens: prompt, from: 0, chunk: 128)
    }

    /// Feeds tokens in chunks; returns the hash of the last logits.
    @discardableResult
    func replay(_ slot: Int, tokens: ArraySlice<TokenID>, from position: Int, chunk: Int) throws -> WeightsDigest {
        var start = 0
        while start < tokens.count {
            let part = tokens.dropFirst(start).prefix(chunk)
            try feed(chunk: part, to: slot, at: position + start, wantsLogits: start + part.count == tokens.count)
            start += part.count
        }
        return try digest(ofRow: 0)
    }

    /// Decodes tokens one by one with nobody beside; returns the hash of the logits after each.
    func decodeAlone(_ slot: Int, tokens: ArraySlice<TokenID>, from position: Int) throws -> [WeightsDigest] {
        try tokens.enumerated().map { offset, token in
            try feed([DecodeRow(slot: slot, token: token, position: position + offset, index: 0)])
            return try digest(ofRow: 0)
        }
    }

    /// The hash of the logits after a row of the last pass.
    func digest(ofRow row: Int) throws -> WeightsDigest {
        try withLogits(ofRow: row) { WeightsDigest(of: UnsafeRawBufferPointer($0)) }
    }
}
#endif
