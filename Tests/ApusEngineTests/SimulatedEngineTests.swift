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

    @Test("Messages make tokens of roles and contents; the user's alone are a prompt's")
    func messages() throws {
        let engine = SimulatedEngine()
        func stream(_ request: GenerationRequest) -> [TokenID] {
            (0..<8).map { SimulatedEngine.token(of: request, index: $0) }
        }
        let prompt = GenerationRequest(prompt: "a bc")
        let lone = GenerationRequest(messages: [.user("a bc")])
        #expect(stream(prompt) == stream(lone))
        #expect(stream(prompt) == (0..<8).map { SimulatedEngine.token(seed: 0, prompt: "a bc", index: $0) })
        #expect(try engine.tokenize(prompt) == engine.tokenize(lone))

        let chats: [[ChatMessage]] = [
            [ChatMessage(role: "system", content: "a bc")],
            [.user("a"), .user("bc")],
            [.user("bc"), .user("a")],
            [.user("a"), ChatMessage(role: "assistant", content: "bc")],
        ]
        #expect(Set(chats.map { stream(GenerationRequest(messages: $0)) }).count == chats.count)
        #expect(try engine.tokenize(GenerationRequest(messages: chats[3])).count == 1 + 1 + 3 + 1)

        try engine.occupy(slot: 0, request: GenerationRequest(messages: chats[3]), prompt: [], history: [])
        var outcome = PassOutcome()
        var pass = Pass(kind: .drawn)
        pass.append([TokenID(rawValue: 0)], to: 0, at: 9, drawing: 2)
        try engine.run(pass, into: &outcome)
        #expect(outcome.tokens == [stream(GenerationRequest(messages: chats[3]))[2]])
    }

    @Test("A pass takes the time that it is said to take")
    func cost() throws {
        var configuration = SimulatedEngineConfiguration()
        configuration.stepMicroseconds = 3_000
        configuration.stepMicrosecondsPerRow = 1_000
        configuration.prefillMicrosecondsPerToken = 500
        let engine = SimulatedEngine(configuration)
        try engine.occupy(slot: 0, request: GenerationRequest(prompt: "a"), prompt: [], history: [])
        var outcome = PassOutcome()
        var pass = Pass(kind: .drawn)
        pass.append([TokenID(rawValue: 0)], to: 0, at: 0, drawing: 0)
        let clock = ContinuousClock()
        let decoding = try clock.measure { try engine.run(pass, into: &outcome) }
        #expect(decoding >= .milliseconds(4))
        #expect(outcome.tokens == [SimulatedEngine.token(seed: 0, prompt: "a", index: 0)])
        #expect(outcome.counts == [1])
        for kind in [.prompt, .drawn] as [Pass.Kind] {
            pass.removeAll(kind: kind)
            pass.append([TokenID](repeating: TokenID(rawValue: 0), count: 10), to: 0, at: 1, drawing: nil)
            let filling = try clock.measure { try engine.run(pass, into: &outcome) }
            #expect(filling >= .milliseconds(5))
            #expect(outcome.tokens.isEmpty)
            #expect(outcome.counts == [0])
        }
    }

    @Test("Guesses stay as far as they are right, and the token after them is drawn")
    func guesses() throws {
        let engine = SimulatedEngine(.free)
        try engine.occupy(slot: 0, request: GenerationRequest(prompt: "a"), prompt: [], history: [])
        let stream = (0..<8).map { SimulatedEngine.token(seed: 0, prompt: "a", index: $0) }
        let wrong = TokenID(rawValue: -1)
        var outcome = PassOutcome()
        for right in 0...4 {
            var pass = Pass(kind: .drawn)
            let guesses = stream[3..<3 + right] + [TokenID](repeating: wrong, count: 4 - right)
            pass.append([stream[2]] + guesses, to: 0, at: 3, drawing: 3, drafts: 4)
            try engine.run(pass, into: &outcome)
            #expect(outcome.tokens == Array(stream[3...3 + right]))
            #expect(outcome.counts == [right + 1])
        }
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
