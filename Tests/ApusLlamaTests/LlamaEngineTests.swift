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
        #expect(
            description.prefillQuantum == 8,
            "this llama.cpp's prompts depend on how they are cut: run Scripts/setup.sh"
        )
        #expect(description.prefillChunk == 512)
        #expect(description.vocabularySize == 49_152)
        // A pass of a prompt has a multiple of 8 tokens; those with guesses have none, and as many as histories at most.
        #expect(!description.draftWidths.isEmpty)
        #expect(description.draftWidths == description.draftWidths.sorted())
        #expect(description.draftWidths.allSatisfy { $0 > 1 && $0 % 8 != 0 && $0 <= 63 })
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

        var together: [[TokenID]] = []
        var positions: [Int] = []
        for (slot, request) in requests.enumerated() {
            let (token, position) = try begin(request, slot: slot, of: engine)
            together.append([token])
            positions.append(position)
        }
        var outcome = PassOutcome()
        for step in 1..<12 {
            // Every third step leaves slot 1 out, as a paused consumer does.
            let due = requests.indices.filter { step % 3 != 0 || $0 != 1 }
            var pass = Pass(kind: .drawn)
            for slot in due {
                pass.append(together[slot].suffix(1), to: slot, at: positions[slot], drawing: together[slot].count)
            }
            try engine.run(pass, into: &outcome)
            #expect(outcome.counts == due.map { _ in 1 })
            #expect(outcome.failures.isEmpty)
            for (place, slot) in due.enumerated() {
                together[slot].append(outcome.tokens[place])
                positions[slot] += 1
            }
        }
        for slot in requests.indices {
            engine.vacate(slot: slot)
            // Alone a stream ends with the model's answer; together all go on.
            let count = min(alone[slot].count, together[slot].count)
            #expect(alone[slot].prefix(count) == together[slot].prefix(count), "stream \(slot)")
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

    @Test("Special tokens have their names as text where they are shown, and other tokens the same text as ever")
    func shownSpecials() throws {
        let engine = try Fixture.engine()
        let tokens = try engine.tokenize(GenerationRequest(prompt: "Hi<|im_end|> you", isRaw: true))
        #expect(text(of: tokens, by: engine) == "Hi you")
        #expect(text(of: tokens, by: engine, showingSpecials: true) == "Hi<|im_end|> you")
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
        try engine.occupy(slot: 0, request: GenerationRequest(prompt: "x"), prompt: prompt, history: [])
        defer { engine.vacate(slot: 0) }
        for position in [0, 512] {
            let chunk = prompt[position..<position + 512]
            #expect(try engine.run(.prompt, chunk, in: 0, at: position, drawing: nil).isEmpty)
        }
        for count in [1, 2] {
            #expect {
                try engine.run(.drawn, prompt[..<count], in: 0, at: 1_024, drawing: 0)
            } throws: {
                ($0 as? ApusError)?.code == .engineFailure
            }
        }
    }

    private func begin(_ request: GenerationRequest, slot: Int, of engine: LlamaEngine) throws -> (TokenID, Int) {
        let prompt = try engine.tokenize(request)
        try engine.occupy(slot: slot, request: request, prompt: prompt, history: [])
        let drawn = try engine.run(.prompt, prompt, in: slot, at: 0, drawing: 0)
        return (try #require(drawn.first), prompt.count)
    }

    private func generate(
        _ request: GenerationRequest,
        count: Int,
        slot: Int,
        of engine: LlamaEngine
    ) throws -> [TokenID] {
        let (token, prompt) = try begin(request, slot: slot, of: engine)
        defer { engine.vacate(slot: slot) }
        var tokens = [token]
        while tokens.count < count, let last = tokens.last, !engine.endsGeneration(last) {
            tokens = try engine.proceed(tokens, behind: prompt, count: tokens.count + 1, in: slot)
        }
        return tokens
    }

    private func text(of tokens: [TokenID], by engine: LlamaEngine, showingSpecials: Bool = false) -> String {
        var bytes: [UInt8] = []
        for token in tokens { engine.appendText(of: token, showingSpecials: showingSpecials, to: &bytes) }
        return String(decoding: bytes, as: UTF8.self)
    }
}
#endif
