import ApusModel
import Testing

@Suite struct RequestTests {
    @Test func `The seeds of choices are fixed for ever, and the first is the job's`() {
        #expect(GenerationRequest.seed(ofChoice: 0, of: 42) == 42)
        // The outputs of SplitMix64 that begins with 0, as published with it.
        #expect(GenerationRequest.seed(ofChoice: 1, of: 0) == 0xe220_a839_7b1d_cdaf)
        #expect(GenerationRequest.seed(ofChoice: 2, of: 0) == 0x6e78_9e6a_a1b9_65f4)
        #expect(GenerationRequest.seed(ofChoice: 3, of: 0) == 0x06c4_5d18_8009_454f)
        let seeds = (0..<Limits.choices).map { GenerationRequest.seed(ofChoice: $0, of: .max) }
        #expect(Set(seeds).count == Limits.choices)
    }

    @Test func `A choice is a request of one stream, and all else stays`() {
        var request = GenerationRequest(prompt: "p", stop: ["x"], choices: 4)
        #expect(request.choice(2).sampling.seed == nil)
        request.sampling.seed = 9
        var choice = request.choice(2)
        #expect(choice.choices == 1)
        #expect(choice.sampling.seed == GenerationRequest.seed(ofChoice: 2, of: 9))
        choice.choices = 4
        choice.sampling.seed = 9
        #expect(choice == request)
    }

    @Test func `A request without its large parts is told from another by their digest`() {
        let first = GenerationRequest(prompt: "a")
        var grammar = first
        grammar.constraint = .grammar("x")
        var schema = first
        schema.constraint = .jsonSchema("x")
        var object = first
        object.constraint = .jsonObject
        var biased = first
        biased.sampling.logitBias = [LogitBias(token: TokenID(rawValue: 3), bias: 1)]
        var otherwise = first
        otherwise.sampling.logitBias = [LogitBias(token: TokenID(rawValue: 3), bias: 2)]
        let requests = [first, GenerationRequest(prompt: "b"), grammar, schema, object, biased, otherwise]
        #expect(Set(requests.map(\.bulkDigest)).count == requests.count)
        for request in requests {
            var bare = request
            bare.removeBulk()
            #expect(bare.bulkBytes == 0)
            #expect(request.bulkBytes > 0)
        }
        #expect(first.promptBytes == 1)
    }
}
