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

    @Test("A model that is cut off is refused", arguments: [4, 8, 24, 100, 10_000, 1_000_000, 8_000_000])
    func cutOff(bytes: Int) throws {
        try withFile(holding: beginning(bytes)) { path in
            #expect(refusal(of: path)?.contains("llama.cpp can't load the model \(path)") == true)
        }
    }

    @Test("A model with a broken header is refused", arguments: [4, 8, 16, 24, 40, 64, 100, 400])
    func broken(offset: Int) throws {
        var bytes = try beginning(4_000_000)
        for place in offset..<offset + 8 { bytes[place] = 0xFF }
        try withFile(holding: bytes) { path in
            #expect(refusal(of: path)?.contains("llama.cpp can't load the model \(path)") == true)
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

    private func withFile(holding bytes: [UInt8], _ body: (String) throws -> Void) throws {
        var name = Array("/tmp/apus-model-XXXXXX".utf8CString)
        let descriptor = mkstemp(&name)
        try #require(descriptor >= 0)
        close(descriptor)
        let path = String(decoding: name.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        defer { unlink(path) }
        let file = try #require(fopen(path, "wb"))
        try #require(fwrite(bytes, 1, bytes.count, file) == bytes.count)
        fclose(file)
        try body(path)
    }
}
#endif
