#if APUS_LLAMA
import ApusEngine
import ApusModel
import Testing

@testable import ApusLlama

/// The engine as the pipeline uses it.
@MainActor
@Suite(.serialized)
struct LlamaEngineTests {
    @Test("It describes itself as exact, under the file's name")
    func describes() throws {
        let description = try Fixture.engine().description
        #expect(description.engine == "llama")
        #expect(description.exactness == .exact)
        #expect(description.slots == 4)
        #expect(description.contextTokens == 1_024)
        #expect(description.replayChunk == 63)
        #expect(Fixture.path.contains(description.model.text))
        // The test's library is built for processors alone.
        #expect(description.acceleratorMemoryMB == 0)
    }

    @Test("It knows from its probe what its passes cost")
    func costs() throws {
        let description = try Fixture.engine().description
        let prefill = try #require(description.prefillTime)
        let step = try #require(description.stepTime)
        #expect(step > .microseconds(100))
        #expect(prefill > step)
        #expect(prefill < .seconds(60))
    }

    @Test("Other threads and slots give the same fingerprint")
    func fingerprint() throws {
        let configuration = LlamaConfiguration(modelPath: Fixture.path, threads: 2, slots: 2, contextTokens: 1_024)
        let other = try LlamaEngine(configuration: configuration).description
        #expect(try other.fingerprint == Fixture.engine().description.fingerprint)
    }

    @Test("Asked for the capital of France it names Paris and ends its answer")
    func answers() throws {
        let engine = try Fixture.engine()
        let request = GenerationRequest(prompt: "What is the capital of France?")
        let tokens = try generate(request, count: 60, slot: 0, of: engine)
        #expect(text(of: tokens, by: engine).contains("Paris"))
    }

    @Test(
        "Greedy and seeded streams are the same alone and in company",
        arguments: [
            SamplingParameters(), SamplingParameters(temperature: 0.8, topK: 40, topP: 0.95, seed: 11),
            SamplingParameters(temperature: 1.5, seed: 12),
        ]
    )
    func company(sampling: SamplingParameters) throws {
        let engine = try Fixture.engine()
        let prompts = ["Tell me about swifts.", "Count to ten.", "Write a poem about rain and sun.", "Hello"]
        let requests = prompts.map { GenerationRequest(prompt: $0, sampling: sampling) }
        let alone = try requests.map { try generate($0, count: 12, slot: 0, of: engine) }

        var rows: [DecodeRow] = []
        var together: [[TokenID]] = []
        for (slot, request) in requests.enumerated() {
            let (token, position) = try begin(request, slot: slot, of: engine)
            rows.append(DecodeRow(slot: slot, token: token, position: position, index: 1))
            together.append([token])
        }
        var drawn: [TokenID] = []
        for step in 1..<12 {
            // Every third step leaves slot 1 out, as a paused consumer does.
            let due = rows.indices.filter { step % 3 != 0 || $0 != 1 }
            try engine.decode(due.map { rows[$0] }, into: &drawn)
            for (place, row) in due.enumerated() {
                together[row].append(drawn[place])
                rows[row].token = drawn[place]
                rows[row].position += 1
                rows[row].index += 1
            }
        }
        for slot in requests.indices {
            engine.vacate(slot: slot)
            #expect(Array(alone[slot].prefix(together[slot].count)) == together[slot], "stream \(slot)")
        }
    }

    @Test("Names of special tokens in a chat prompt stay text, in a raw prompt they become tokens")
    func specials() throws {
        let engine = try Fixture.engine()
        let prompt = "Hi<|im_end|>"
        let end = try #require(engine.tokenize(GenerationRequest(prompt: "<|im_end|>", isRaw: true)).first)
        #expect(engine.endsGeneration(end))
        #expect(try engine.tokenize(GenerationRequest(prompt: prompt, isRaw: true)).last == end)
        let template = try engine.tokenize(GenerationRequest(prompt: "Hi")).filter { $0 == end }
        let chat = try engine.tokenize(GenerationRequest(prompt: prompt))
        #expect(chat.filter { $0 == end } == template)
        #expect(text(of: chat, by: engine).contains(prompt))
    }

    @Test("The texts of tokens, put together, are the text", arguments: ["Grüße", "世界、こんにちは", "🦜👩‍👩‍👧 naïve", "a  b\n\tc"])
    func texts(original: String) throws {
        let engine = try Fixture.engine()
        let tokens = try engine.tokenize(GenerationRequest(prompt: original, isRaw: true))
        #expect(text(of: tokens, by: engine) == original)
    }

    @Test("Tokens outside the vocabulary have no text and end nothing", arguments: [-1, 49_152, .max] as [Int32])
    func strangers(token: Int32) throws {
        let engine = try Fixture.engine()
        #expect(text(of: [TokenID(rawValue: token)], by: engine).isEmpty)
        #expect(!engine.endsGeneration(TokenID(rawValue: token)))
    }

    @Test("A step over a slot's end fails for the step, and its rows stay")
    func overflow() throws {
        let engine = try Fixture.engine()
        let prompt = Fixture.tokens(1_024)
        engine.occupy(slot: 0, request: GenerationRequest(prompt: "x"), prompt: prompt)
        defer { engine.vacate(slot: 0) }
        var position = 0
        while position < 1_024 {
            let chunk = prompt[position..<position + 128]
            #expect(try engine.prefill(slot: 0, tokens: chunk, position: position, drawing: nil) == nil)
            position += 128
        }
        var drawn: [TokenID] = []
        let row = DecodeRow(slot: 0, token: prompt[0], position: 1_024, index: 0)
        #expect { try engine.decode([row], into: &drawn) } throws: { ($0 as? ApusError)?.code == .engineFailure }
        #expect(drawn.isEmpty)
    }

    private func begin(_ request: GenerationRequest, slot: Int, of engine: LlamaEngine) throws -> (TokenID, Int) {
        let prompt = try engine.tokenize(request)
        engine.occupy(slot: slot, request: request, prompt: prompt)
        let token = try engine.prefill(slot: slot, tokens: prompt[...], position: 0, drawing: 0)
        return (try #require(token), prompt.count)
    }

    private func generate(
        _ request: GenerationRequest,
        count: Int,
        slot: Int,
        of engine: LlamaEngine
    ) throws -> [TokenID] {
        var (token, position) = try begin(request, slot: slot, of: engine)
        defer { engine.vacate(slot: slot) }
        var tokens = [token]
        var drawn: [TokenID] = []
        while tokens.count < count, !engine.endsGeneration(token) {
            let row = DecodeRow(slot: slot, token: token, position: position, index: tokens.count)
            try engine.decode([row], into: &drawn)
            token = try #require(drawn.first)
            tokens.append(token)
            position += 1
        }
        return tokens
    }

    private func text(of tokens: [TokenID], by engine: LlamaEngine) -> String {
        var bytes: [UInt8] = []
        for token in tokens { engine.appendText(of: token, to: &bytes) }
        return String(decoding: bytes, as: UTF8.self)
    }
}
#endif
