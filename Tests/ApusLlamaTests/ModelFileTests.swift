#if APUS_LLAMA
import ApusModel
import Testing

@testable import ApusLlama

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// What is no model is refused with words, never with a crash.
@MainActor
@Suite(.serialized)
struct ModelFileTests {
    @Test("A missing file is refused by its path")
    func missing() {
        #expect(refusal(of: "/nowhere/model.gguf")?.contains("/nowhere/model.gguf isn't there") == true)
    }

    @Test("A folder is refused")
    func folder() {
        #expect(refusal(of: "/tmp")?.contains("is not a file") == true)
    }

    @Test("Files that begin otherwise are refused", arguments: ["", "GG", "just some text, no model", "\u{7F}ELF"])
    func otherFormats(content: String) throws {
        try withFile(holding: Array(content.utf8)) { path in
            #expect(refusal(of: path)?.contains("is not in GGUF format") == true)
        }
    }

    @Test("A model that is cut off in its header is refused", arguments: [4, 8, 24, 100, 10_000, 1_000_000])
    func cutOffHeader(bytes: Int) throws {
        try withFile(holding: beginning(bytes)) { path in
            #expect(refusal(of: path)?.contains("\(path) has a header that is damaged or cut off") == true)
        }
    }

    @Test("A model that is cut off in its weights is refused with its length and the whole one's", arguments: [1, 31])
    func cutOffWeights(missing: Int) throws {
        let whole = GGUFFixture.languageModel().bytes
        try withFile(holding: whole.dropLast(missing)) { path in
            let lengths = "has \(whole.count - missing) of \(whole.count) bytes"
            #expect(refusal(of: path)?.contains(lengths) == true)
        }
        try withFile(holding: beginning(8_000_000)) { path in
            #expect(refusal(of: path)?.contains("is cut off: it has 8000000 of ") == true)
        }
    }

    @Test(
        "What isn't a language model is refused by what it is",
        arguments: [
            (
                GGUFFixture(values: [("general.architecture", .text("llama")), ("general.type", .text("adapter"))]),
                "LoRA"
            ),
            (GGUFFixture(values: [("general.architecture", .text("clip"))]), "mmproj"),
            (
                GGUFFixture(values: [("general.architecture", .text("qwen3")), ("general.type", .text("mmproj"))]),
                "mmproj"
            ),
            (GGUFFixture(values: [("general.type", .text("imatrix"))]), "importance matrix"),
            (GGUFFixture(values: [("general.architecture", .text("controlvector"))]), "control vector"),
            (GGUFFixture(), "doesn't name its architecture"),
            (GGUFFixture(values: [("general.architecture", .number(7))]), "doesn't name its architecture"),
            (.languageModel("bert", [("bert.attention.causal", .flag(false))]), "is an encoder (bert)"),
            (.languageModel("gemma-embedding"), "is an encoder (gemma-embedding)"),
            (.languageModel("t5"), "is an encoder (t5)"),
            (.languageModel("llada"), "is a diffusion model"),
            (.languageModel("qwen3", [("qwen3.pooling_type", .number(3))]), "is an embedding or ranking model"),
            (.languageModel("llama", [("split.count", .short(3)), ("split.no", .short(0))]), "is one of 3 parts"),
            (GGUFFixture(values: [("general.architecture", .text("llama"))]), "has no vocabulary"),
            (GGUFFixture(values: GGUFFixture.languageModel().values, tensors: []), "is a vocabulary without weights"),
        ]
    )
    func strange(fixture: GGUFFixture, what: String) throws {
        try withFile(holding: fixture.bytes) { path in
            let words = try #require(refusal(of: path))
            #expect(words.hasPrefix("the model \(path) "))
            #expect(words.contains(what))
            #expect(words.contains("; "), "it says what to give instead")
        }
    }

    @Test("What says that it is a language model goes to llama.cpp, which tells why it can't load it")
    func unloadable() throws {
        try withFile(holding: GGUFFixture.languageModel("flux").bytes) { path in
            let words = try #require(refusal(of: path))
            #expect(words.contains("llama.cpp can't load the model \(path)"))
            #expect(words.contains("give a language model of a kind that it knows"))
        }
        let unpooled = GGUFFixture.languageModel("qwen3", [("qwen3.pooling_type", .number(0))])
        try withFile(holding: unpooled.bytes) { path in
            #expect(refusal(of: path)?.contains("llama.cpp can't load the model \(path)") == true)
        }
    }

    @Test("A model with a broken header is refused", arguments: [4, 8, 16, 24, 40, 64, 100, 400])
    func broken(offset: Int) throws {
        var bytes = try beginning(4_000_000)
        for place in offset..<offset + 8 { bytes[place] = 0xFF }
        try withFile(holding: bytes) { path in
            let refusal = refusal(of: path)
            // At 40 the first key is overwritten, which leaves a sound header.
            let what = offset == 40 ? "doesn't name its architecture" : "has a header that is damaged or cut off"
            #expect(refusal?.contains("\(path) \(what)") == true, "\(refusal ?? "none")")
        }
    }

    @Test("Impossible numbers are refused by their names")
    func numbers() throws {
        let path = Fixture.path
        #expect(refusal(of: LlamaConfiguration(modelPath: path, threads: 0))?.contains("threads is 0") == true)
        #expect(refusal(of: LlamaConfiguration(modelPath: path, slots: 0))?.contains("slots is 0") == true)
        #expect(refusal(of: LlamaConfiguration(modelPath: path, slots: 10_000))?.contains("slots is 10000") == true)
        #expect(refusal(of: LlamaConfiguration(modelPath: path, contextTokens: 1))?.contains("context") == true)
        #expect(refusal(of: LlamaConfiguration(modelPath: path, prefillChunk: 0))?.contains("chunk is 0") == true)
        #expect(refusal(of: "/tmp/no name.gguf")?.contains("is no model name") == true)
    }

    @Test("The digest depends on every byte and on the length")
    func digest() {
        var seen: Set<WeightsDigest> = []
        let bytes = [UInt8](repeating: 0, count: 70)
        for length in 0...bytes.count { seen.insert(bytes.prefix(length).withUnsafeBytes(WeightsDigest.init(of:))) }
        for place in bytes.indices {
            var changed = bytes
            changed[place] = 1
            seen.insert(changed.withUnsafeBytes(WeightsDigest.init(of:)))
        }
        #expect(seen.count == 71 + 70)
    }

    private func refusal(of path: String) -> String? {
        refusal(of: LlamaConfiguration(modelPath: path))
    }

    private func refusal(of configuration: LlamaConfiguration) -> String? {
        do throws(ApusError) {
            _ = try LlamaEngine(configuration: configuration)
            return nil
        } catch {
            return error.code == .invalidRequest ? error.message : "another code: \(error)"
        }
    }

    /// The first bytes of the real model.
    private func beginning(_ count: Int) throws -> [UInt8] {
        _ = try Fixture.model()
        let file = try #require(fopen(Fixture.path, "rb"))
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: count)
        try #require(fread(&bytes, 1, count, file) == count)
        return bytes
    }

    private func withFile(holding bytes: some Collection<UInt8>, _ body: (String) throws -> Void) throws {
        var name = Array("/tmp/apus-model-XXXXXX".utf8CString)
        let descriptor = mkstemp(&name)
        try #require(descriptor >= 0)
        close(descriptor)
        let path = String(decoding: name.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        defer { unlink(path) }
        let file = try #require(fopen(path, "wb"))
        try #require(fwrite(Array(bytes), 1, bytes.count, file) == bytes.count)
        fclose(file)
        try body(path)
    }
}
#endif
