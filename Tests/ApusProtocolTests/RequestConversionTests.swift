import ApusModel
import ApusProtocol
import SwiftProtobuf
import Testing

@Suite struct RequestConversionTests {
    /// A request over the bytes of the wire.
    private func carried(_ request: GenerationRequest) throws -> GenerationRequest {
        let bytes: [UInt8] = try Apus_V1_Request(request).serializedBytes()
        return try GenerationRequest(Apus_V1_Request(serializedBytes: bytes))
    }

    /// Every field with a value of its own.
    private static let everything = GenerationRequest(
        model: ModelName("m-1"),
        prompt: "hello",
        isRaw: true,
        maximumTokens: 90,
        sampling: SamplingParameters(
            temperature: 0.8,
            topK: 40,
            topP: 0.9,
            minP: 0.05,
            typicalP: 0.7,
            repetitionPenalty: 1.1,
            penaltyWindow: 0,
            frequencyPenalty: -0.5,
            presencePenalty: 1.5,
            dry: DryParameters(multiplier: 0.8, base: 2, allowedLength: 3, window: 512, breakers: ["\n", "Ж"]),
            logitBias: [
                LogitBias(token: TokenID(rawValue: 0), bias: -100), LogitBias(token: TokenID(rawValue: 17), bias: 2.5),
            ],
            seed: 0
        ),
        stop: ["\n", "end"],
        deadline: .milliseconds(2_500),
        priority: .low,
        minimumTokens: 7,
        showsSpecialTokens: true,
        constraint: .grammar("root ::= \"a\""),
        logprobs: 0,
        choices: 3,
        interTokenTarget: .milliseconds(40),
        transferTokens: 8,
        speculates: false
    )

    @Test func `Every field of a request survives the wire`() throws {
        #expect(try carried(Self.everything) == Self.everything)
        // What a request with a grammar can't have.
        var endless = GenerationRequest(prompt: "hello")
        endless.ignoresEndOfGeneration = true
        #expect(try carried(endless) == endless)
    }

    @Test func `A request that says nothing beyond its prompt stays so`() throws {
        let plain = GenerationRequest(prompt: "hello")
        #expect(try carried(plain) == plain)
        // What a client that knows only the first fields sends means the same.
        var wire = Apus_V1_Request()
        wire.prompt = "hello"
        wire.maxTokens = 256
        #expect(try GenerationRequest(wire) == plain)
    }

    @Test func `Each kind of constraint survives the wire, and two of them are refused`() throws {
        for constraint in [OutputConstraint.grammar("root ::= \"a\""), .jsonSchema("{}"), .jsonObject, nil] {
            let request = GenerationRequest(prompt: "p", constraint: constraint)
            #expect(try carried(request) == request)
        }
        var wire = Apus_V1_Request(GenerationRequest(prompt: "p", constraint: .jsonObject))
        wire.grammar = "root ::= \"a\""
        #expect { try GenerationRequest(wire) } throws: { ($0 as? ApusError)?.code == .invalidRequest }
    }

    @Test func `Log probabilities without alternatives are not the same as none`() throws {
        for count in [nil, 0, 20] {
            #expect(try carried(GenerationRequest(prompt: "p", logprobs: count)).logprobs == count)
        }
    }

    @Test func `Messages survive the wire in order and are checked on arrival`() throws {
        let request = GenerationRequest(messages: [
            ChatMessage(role: "system", content: "Be brief."), .user("Hi."),
            ChatMessage(role: "assistant", content: ""),
        ])
        #expect(try carried(request) == request)
        var wire = Apus_V1_Request(request)
        wire.messages[0].role = "a|>"
        #expect { try GenerationRequest(wire) } throws: { ($0 as? ApusError)?.code == .invalidRequest }
    }

    @Test(
        arguments: [
            { $0.minTokens = 91 }, { $0.choices = 17 }, { $0.choices = .max }, { $0.logprobs = 21 },
            { $0.transferTokens = 65 }, { $0.sampling.minP = .nan }, { $0.sampling.typicalP = 2 },
            { $0.sampling.repetitionPenalty = -1 }, { $0.sampling.frequencyPenalty = .infinity },
            { $0.sampling.penaltyWindow = .max }, { $0.sampling.dry.base = 0 }, { $0.sampling.logitBias[0].token = -1 },
            { $0.sampling.logitBias[0].bias = .nan }, { $0.sampling.logitBias[1].token = 0 },
        ] as [@Sendable (inout Apus_V1_Request) -> Void]
    )
    func `What is out of its range is refused on arrival`(spoil: @Sendable (inout Apus_V1_Request) -> Void) {
        var wire = Apus_V1_Request(Self.everything)
        spoil(&wire)
        #expect { try GenerationRequest(wire) } throws: { ($0 as? ApusError)?.code == .invalidRequest }
    }

    @Test func `A worker's settings survive the wire, and absent ones stay absent`() throws {
        let all = WorkerSettings(
            batchMinimum: 2,
            batchMaximum: 8,
            policy: .aimd,
            interTokenTarget: .milliseconds(50),
            networkStability: 0
        )
        #expect(try WorkerSettings(Apus_V1_Configure(all)) == all)
        #expect(try WorkerSettings(Apus_V1_Configure(WorkerSettings())) == WorkerSettings())
        var wire = Apus_V1_Configure(all)
        wire.policy = "guess"
        #expect { try WorkerSettings(wire) } throws: { ($0 as? ApusError)?.message.contains("cost") == true }
        wire = Apus_V1_Configure(all)
        wire.networkStability = .nan
        #expect { try WorkerSettings(wire) } throws: { ($0 as? ApusError)?.code == .invalidRequest }
    }

    @Test func `An end's stages and summary survive the wire`() {
        let end = StreamEnd(
            reason: .stop,
            usage: Usage(promptTokens: 3, completionTokens: 4),
            timings: StreamTimings(
                queueWait: .microseconds(5),
                firstToken: .microseconds(100),
                total: .microseconds(700),
                stages: FirstTokenStages(
                    tokenize: .microseconds(1),
                    dispatch: .microseconds(2),
                    prefill: .microseconds(60),
                    sample: .microseconds(4),
                    promptTokens: 3,
                    cachedTokens: 2
                )
            ),
            attempts: 1,
            summary: SessionSummary(
                tokens: 4,
                meanTokenTime: .microseconds(150),
                p95TokenTime: .microseconds(160),
                peakMemoryBytes: 1 << 40,
                errors: 3,
                recovered: 2,
                batchSize: 5,
                draftedTokens: 9,
                acceptedTokens: 8,
                cachedTokens: 2
            )
        )
        let wire = Apus_V1_Finished(stream: StreamID(rawValue: 1), job: JobID(rawValue: 2), end: end)
        #expect(StreamEnd(wire) == end)
        #expect(wire.timings.transferUs == 28)
    }
}
