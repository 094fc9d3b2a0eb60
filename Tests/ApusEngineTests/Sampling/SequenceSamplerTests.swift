import ApusGrammar
import ApusModel
import Testing

@testable import ApusEngine

/// Draws against the definition, and the properties that streams rely on.
struct SequenceSamplerTests {
    @Test("Temperature 0 takes the highest logit, the lowest token among equals")
    func greedy() throws {
        #expect(try draw([1, 3, 2, 3]) == 1)
        #expect(try draw([-5, -4, -4]) == 1)
        #expect(try draw([-.infinity, -3]) == 1)
        #expect(try draw([-1, -0.0, 0]) == 1)
        var long = [Float](repeating: -1, count: 2_000)
        long[1_999] = 0
        long[1_500] = 0
        #expect(try draw(long) == 1_500)
        long[3] = 0
        #expect(try draw(long) == 3)
    }

    @Test("Logits that are not numbers fail", arguments: [0, 1, 700, 1_299])
    func notNumbers(place: Int) {
        for bad in [Float.nan, -Float.nan, .infinity] {
            for rest in [Float(1), -.infinity, .greatestFiniteMagnitude] {
                var logits = [Float](repeating: rest, count: 1_300)
                logits[place] = bad
                for temperature in [0, 1.0] {
                    for bias in [[], [LogitBias(token: TokenID(rawValue: Int32(place)), bias: 1)]] {
                        let parameters = SamplingParameters(temperature: temperature, logitBias: bias)
                        #expect { try draw(logits, parameters) } throws: { isEngineFailure($0) }
                    }
                }
            }
        }
    }

    @Test("Where no token is left, a draw fails and says why", arguments: [1, 2, 63, 64, 65, 1_000])
    func nothingLeft(size: Int) {
        let row = [Float](repeating: 1, count: size)
        let bans = (0..<size).map { LogitBias(token: TokenID(rawValue: Int32($0)), bias: -100) }
        for temperature in [0, 1.0] {
            var request = GenerationRequest(prompt: "a", sampling: SamplingParameters(temperature: temperature))
            #expect { try draw([Float](repeating: -.infinity, count: size), request) } throws: { isEngineFailure($0) }
            #expect {
                try draw(row, request, mask: TokenMask(tokenCount: size))
            } throws: {
                isEngineFailure($0) && "\($0)".contains("no token is left")
            }
            #expect { try draw(row, request, mask: TokenMask(tokenCount: 0)) } throws: { isEngineFailure($0) }
            request.sampling.logitBias = bans
            #expect { try draw(row, request) } throws: { isEngineFailure($0) && "\($0)".contains("no token is left") }
        }
        #expect { try draw([]) } throws: { isEngineFailure($0) }
    }

    @Test("Rows of the largest finite logits are drawn from")
    func hugeLogits() throws {
        let huge = Float.greatestFiniteMagnitude
        for temperature in [0, 1.0] {
            let parameters = SamplingParameters(temperature: temperature, repetitionPenalty: 0.5, penaltyWindow: 4)
            #expect(try draw([-huge, huge, -.infinity, huge / 2], parameters, prompt: [1, 0]) == 1)
            #expect(try draw([Float](repeating: -huge, count: 70), SamplingParameters(topK: 1)) == 0)
        }
    }

    @Test("top_k 1 and a tiny temperature are greedy")
    func nearlyGreedy() throws {
        var fixture = SamplingFixture(seed: 1)
        for _ in 0..<20 {
            let logits = fixture.row(500)
            let best = try draw(logits)
            for index in 0..<5 {
                #expect(try draw(logits, SamplingParameters(temperature: 2, topK: 1), index: index) == best)
                guard Set(logits).count == logits.count, logits.contains(where: { abs($0) > 1e-3 }) else { continue }
                #expect(try draw(logits, SamplingParameters(temperature: 1e-30), index: index) == best)
            }
        }
    }

    @Test(
        "Draws are those of the plain definition",
        arguments: [(1, 300), (2, 600), (63, 600), (64, 600), (65, 600), (1_000, 400), (3_000, 150), (49_152, 16)]
    )
    func definition(size: Int, rounds: Int) throws {
        var close = 0
        var wide = 0
        let scratch = SamplerScratch()
        for round in 0..<rounds {
            var fixture = SamplingFixture(seed: UInt64(size * 100_000 + round))
            let (row, request, mask) = (fixture.row(size), fixture.request(size), fixture.mask(size))
            let (prompt, output) = (fixture.history(size), fixture.history(size))
            let vocabulary = SamplingFixture.vocabulary(size)
            let reference = ReferenceSampler(
                request: request,
                prompt: prompt,
                output: output,
                endOfGeneration: vocabulary.endOfGeneration,
                mask: mask,
                text: SamplingFixture.text
            )
            var sampler = SequenceSampler(request: request, prompt: prompt, vocabulary: vocabulary)
            for token in output { sampler.accept(token) }
            let decision = reference.decide(row, index: output.count)
            let drawn = row.withUnsafeBufferPointer { row in
                Result { () throws(ApusError) in
                    try sampler.draw(from: row, index: output.count, mask: mask, scratch: scratch)
                }
            }
            switch drawn {
            case .failure(let error):
                #expect(decision.tokens.isEmpty && isEngineFailure(error), "size \(size), round \(round)")
            case .success(let token) where decision.isClose:
                close += 1
                #expect(reference.adjusted(row, index: output.count)[Int(token.rawValue)] > -.infinity)
            case .success(let token):
                if decision.tokens.count > 1 { wide += 1 }
                let description = "size \(size), round \(round): \(token), not \(decision.tokens); \(request.sampling)"
                #expect(decision.tokens.contains(Int(token.rawValue)), "\(description)")
            }
        }
        #expect(close <= rounds / 12 + 2, "too many decisions within rounding distance to tell anything")
        #expect(wide <= rounds / 12 + 3)
    }

    @Test("Draws come as often as the weights say")
    func frequencies() throws {
        let logits: [Float] = [0, 1, 2, -.infinity, 1]
        let weights = logits.map { PortableMath.exponential(max(-80, $0 - 2)) }
        let total = weights.reduce(0, +)
        var counts = [Int](repeating: 0, count: logits.count)
        for index in 0..<20_000 {
            counts[try draw(logits, SamplingParameters(temperature: 1, seed: 3), index: index)] += 1
        }
        for token in logits.indices {
            #expect(abs(Float(counts[token]) / 20_000 - weights[token] / total) < 0.015)
        }
    }

    @Test("Equal logits are kept and drawn from in the order of tokens")
    func ties() throws {
        let logits = [Float](repeating: 0.5, count: 100)
        for index in 0..<50 {
            let share = CounterRandom.uniform(seed: 9, index: UInt64(index))
            #expect(try draw(logits, SamplingParameters(temperature: 1, seed: 9), index: index) == Int(share * 100))
            for parameters in [
                SamplingParameters(temperature: 1, topK: 10, seed: 9),
                SamplingParameters(temperature: 1, topP: 0.095, seed: 9),
                SamplingParameters(temperature: 1, typicalP: 0.095, seed: 9),
            ] {
                #expect(try draw(logits, parameters, index: index) == Int(share * 10))
            }
        }
    }

    @Test("Tokens that end the answer can't be drawn before the minimum, and can from there on")
    func minimumTokens() throws {
        var request = GenerationRequest(prompt: "a")
        request.minimumTokens = 3
        for index in 0..<6 {
            #expect(try draw([9, 1, 0, 2], request, index: index) == (index < 3 ? 3 : 0))
        }
    }

    @Test("A bias of -100 bans a token, also where it is alone near the top; tokens out of the vocabulary are ignored")
    func bans() throws {
        let bias = [(0, -100.0), (7, 5)].map { LogitBias(token: TokenID(rawValue: $0.0), bias: $0.1) }
        #expect(try draw([1e30, 0, 1], SamplingParameters(logitBias: bias)) == 2)
        #expect(try draw([1e30, 0, 1], SamplingParameters(temperature: 1, topK: 1, logitBias: bias)) == 2)
    }

    @Test("Frequency and presence penalties that cancel each other leave a logit as it is")
    func penaltiesAddedUp() throws {
        let parameters = SamplingParameters(frequencyPenalty: -0.25, presencePenalty: 1)
        var sampler = SequenceSampler(
            request: GenerationRequest(prompt: "a", sampling: parameters),
            prompt: [],
            vocabulary: SamplingFixture.vocabulary(2)
        )
        for _ in 0..<4 { sampler.accept(TokenID(rawValue: 1)) }
        let drawn = try ([1e-30, 2e-30] as [Float]).withUnsafeBufferPointer {
            try sampler.draw(from: $0, index: 4, scratch: SamplerScratch())
        }
        #expect(drawn.rawValue == 1)
    }

    @Test("The row is left as it was")
    func rowUntouched() throws {
        var fixture = SamplingFixture(seed: 5)
        for _ in 0..<100 {
            let row = fixture.row(130)
            let before = row.map(\.bitPattern)
            let (request, mask, prompt) = (fixture.request(130), fixture.mask(130), fixture.history(130))
            _ = try? draw(row, request, prompt: prompt.map { Int($0.rawValue) }, mask: mask)
            #expect(row.map(\.bitPattern) == before)
        }
    }

    @Test("A sampler rebuilt from the history goes on as the one that drew it, whatever was drawn between")
    func rebuilt() throws {
        let size = 200
        let (scratch, other) = (SamplerScratch(), SamplerScratch())
        for seed in 0..<40 {
            var fixture = SamplingFixture(seed: UInt64(seed))
            var request = fixture.request(size)
            request.sampling.temperature = 1
            let (prompt, mask) = (fixture.history(size), fixture.mask(size))
            let rows = (0..<24).map { _ in fixture.row(size) }
            let vocabulary = SamplingFixture.vocabulary(size)
            var sampler = SequenceSampler(request: request, prompt: prompt, vocabulary: vocabulary)
            var output: [TokenID] = []
            for (index, row) in rows.enumerated() {
                var again = SequenceSampler(request: request, prompt: prompt, vocabulary: vocabulary)
                for token in output { again.accept(token) }
                #expect(again.generated == index)
                // The other scratch has seen another vocabulary since.
                _ = try draw(fixture.row(700), scratch: other)
                let draws = row.withUnsafeBufferPointer { row in
                    [(sampler, scratch), (again, other), (sampler, scratch)].map { sampler, scratch in
                        Result { () throws(ApusError) in
                            try sampler.draw(from: row, index: index, mask: mask, scratch: scratch)
                        }
                    }
                }
                #expect(draws[1] == draws[0] && draws[2] == draws[0])
                let token = TokenID(rawValue: Int32(fixture.generator.next() % 6))
                output.append(token)
                sampler.accept(token)
            }
        }
    }

    private func draw(
        _ logits: [Float],
        _ parameters: SamplingParameters = .init(),
        index: Int = 0,
        prompt: [Int] = [],
        scratch: SamplerScratch = SamplerScratch()
    ) throws -> Int {
        try draw(
            logits,
            GenerationRequest(prompt: "a", sampling: parameters),
            index: index,
            prompt: prompt,
            scratch: scratch
        )
    }

    private func draw(
        _ logits: [Float],
        _ request: GenerationRequest,
        index: Int = 0,
        prompt: [Int] = [],
        mask: TokenMask? = nil,
        scratch: SamplerScratch = SamplerScratch()
    ) throws -> Int {
        let sampler = SequenceSampler(
            request: request,
            prompt: prompt.map { TokenID(rawValue: Int32($0)) },
            vocabulary: SamplingFixture.vocabulary(logits.count)
        )
        return try logits.withUnsafeBufferPointer {
            Int(try sampler.draw(from: $0, index: index, mask: mask, scratch: scratch).rawValue)
        }
    }

    private func isEngineFailure(_ error: any Error) -> Bool {
        (error as? ApusError)?.code == .engineFailure
    }
}
