import ApusEngine
import ApusModel
import Testing

@Suite("Simulated engine")
struct SimulatedEngineTests {
    @Test("Tokens depend on seed, prompt, index and weights, and on nothing else")
    func tokens() {
        func stream(_ seed: UInt64, _ prompt: String, _ weights: UInt64 = 0) -> [TokenID] {
            (0..<64).map { SimulatedEngine.token(seed: seed, prompt: prompt, index: $0, weights: weights) }
        }
        #expect(stream(1, "a") == stream(1, "a"))
        #expect(Set([stream(1, "a"), stream(2, "a"), stream(1, "b"), stream(1, "a", 1)]).count == 4)
    }

    @Test("The vocabulary has ASCII and longer characters, each token a word with a leading space")
    func vocabulary() {
        let words = (0..<64).map { SimulatedEngine.text(of: TokenID(rawValue: $0)) }
        #expect(Set(words).count == 64)
        #expect(words.allSatisfy { $0.first == " " && $0.utf8.count > 1 })
        #expect(words.contains { $0.utf8.count > $0.count })
        #expect(SimulatedEngine.text(of: TokenID(rawValue: 64)).isEmpty)
    }

    @Test("A prompt gives a token a word and one for each further 4 bytes")
    func tokenising() throws {
        let engine = SimulatedEngine()
        #expect(try engine.tokenize(GenerationRequest(prompt: "a bc\ndefgh  ")).count == 4)
        #expect(throws: ApusError.self) { try engine.tokenize(GenerationRequest(prompt: " \n ")) }
    }

    @Test("A pass takes the time that it is said to take")
    func cost() throws {
        var configuration = SimulatedEngineConfiguration()
        configuration.stepMicroseconds = 3_000
        configuration.stepMicrosecondsPerRow = 1_000
        let engine = SimulatedEngine(configuration)
        engine.occupy(slot: 0, request: GenerationRequest(prompt: "a"), prompt: [])
        var tokens: [TokenID] = []
        let clock = ContinuousClock()
        let time = try clock.measure {
            try engine.decode([DecodeRow(slot: 0, token: TokenID(rawValue: 0), position: 0, index: 0)], into: &tokens)
        }
        #expect(time >= .milliseconds(4))
        #expect(tokens == [SimulatedEngine.token(seed: 0, prompt: "a", index: 0)])
    }

    @Test("Fingerprints follow the weights, not the cost")
    func fingerprint() {
        var other = SimulatedEngineConfiguration()
        other.weights = 1
        let fingerprint = SimulatedEngine().description.fingerprint
        #expect(SimulatedEngine(.free).description.fingerprint == fingerprint)
        #expect(SimulatedEngine(other).description.fingerprint != fingerprint)
        #expect(SimulatedEngine().description.engine == "simulated")
    }
}
