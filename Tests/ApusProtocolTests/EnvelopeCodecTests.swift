import ApusModel
import ApusProtocol
import Foundation
import Testing

@Suite struct EnvelopeCodecTests {
    func decode(_ bytes: [UInt8]) throws(ApusError) -> Apus_V1_Envelope {
        let result = bytes.withUnsafeBytes { buffer in
            Result { () throws(ApusError) in try EnvelopeCodec.decode(buffer) }
        }
        return try result.get()
    }

    @Test func `An envelope comes back as it went`() throws {
        var columns = TokenColumns()
        columns.streams = [7, 300]
        columns.epochs = [1, 2]
        columns.firstIndexes = [0, 41]
        columns.counts = [1, 2]
        columns.ids = [5, 0, 49_151]
        columns.textLengths = [2, 0, 3]
        columns.text = Array("ab€".utf8)
        var step = Apus_V1_Step()
        step.progress = 12
        step.tokens = Apus_V1_TokenColumns(columns)
        let bytes = try EnvelopeCodec.encode(Apus_V1_Envelope(.step(step)))
        #expect(bytes.first == ApusVersion.wire)
        let decoded = try decode(bytes)
        #expect(decoded.step == step)
        let back = TokenColumns(decoded.step.tokens)
        #expect(back == columns)
        #expect(back.isValid)
    }

    @Test func `Another version is told apart from garbage`() throws {
        #expect { try decode([9, 1, 2]) } throws: { ($0 as? ApusError)?.code == .versionMismatch }
        #expect { try decode([]) } throws: { ($0 as? ApusError)?.code == .protocolViolation }
        #expect { try decode([1, 0xff, 0xff, 0xff]) } throws: { ($0 as? ApusError)?.code == .protocolViolation }
    }

    @Test func `A message over the frame limit is refused by its sender`() {
        var submit = Apus_V1_Submit()
        submit.generation.prompt = String(repeating: "x", count: Limits.frameBytes)
        #expect { try EnvelopeCodec.encode(Apus_V1_Envelope(.submit(submit))) } throws: {
            ($0 as? ApusError)?.code == .protocolViolation
        }
    }

    @Test func `Random bytes never trap`() throws {
        var generator = SplitMix(state: 1)
        for round in 0..<20_000 {
            var bytes = (0..<Int(generator.next() % 64)).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
            if round % 2 == 0 { bytes.insert(ApusVersion.wire, at: 0) }
            do {
                let envelope = try decode(bytes)
                if case .step(let step) = envelope.body { _ = TokenColumns(step.tokens).isValid }
            } catch {
                #expect(error.code == .protocolViolation || error.code == .versionMismatch)
            }
        }
    }

    @Test func `A request survives the wire and is checked on arrival`() throws {
        let request = GenerationRequest(
            model: ModelName("m-1"),
            prompt: "hello",
            isRaw: true,
            maximumTokens: 9,
            sampling: SamplingParameters(temperature: 0.8, topK: 40, topP: 0.9, seed: 3),
            stop: ["\n"],
            ignoresEndOfGeneration: true,
            deadline: .seconds(5),
            priority: .low
        )
        #expect(try GenerationRequest(Apus_V1_Request(request)) == request)
        var wire = Apus_V1_Request(request)
        wire.model = "a b"
        #expect { try GenerationRequest(wire) } throws: { ($0 as? ApusError)?.code == .invalidRequest }
    }

    @Test func `Every priority survives the wire, none is normal and an unknown one is refused`() throws {
        for priority in Priority.allCases {
            let request = GenerationRequest(prompt: "hello", priority: priority)
            #expect(try GenerationRequest(Apus_V1_Request(request)).priority == priority)
        }
        var wire = Apus_V1_Request(GenerationRequest(prompt: "hello", priority: .high))
        #expect(wire.priority == 1)
        wire.priority = 0
        #expect(try GenerationRequest(wire).priority == .normal)
        wire.priority = 3
        #expect { try GenerationRequest(wire) } throws: {
            guard let error = $0 as? ApusError else { return false }
            return error.code == .invalidRequest && error.message.contains("priority is 3")
        }
    }

    @Test func `Columns that disagree are not valid`() {
        var columns = TokenColumns()
        columns.streams = [1]
        columns.firstIndexes = [0]
        columns.counts = [2]
        columns.ids = [1, 2]
        columns.textLengths = [1, 1]
        columns.text = [65, 66]
        #expect(columns.isValid)
        for spoil: (inout TokenColumns) -> Void in [
            { $0.counts = [1] }, { $0.counts = [0] }, { $0.ids = [1] }, { $0.textLengths = [1, 4_000_000_000] },
            { $0.text = [] }, { $0.ids = [1, -1] }, { $0.streams = [] }, { $0.epochs = [1, 2] },
            { $0.firstIndexes = [.max] },
        ] {
            var spoiled = columns
            spoil(&spoiled)
            #expect(!spoiled.isValid)
        }
    }

    @Test func `A fingerprint keeps its bits on the wire`() {
        let fingerprint = Fingerprint(high: 0x0102_0304_0506_0708, low: .max - 1)
        #expect(Fingerprint(bytes: fingerprint.bytes) == fingerprint)
        #expect(Fingerprint(bytes: Data([1, 2])) == nil)
    }

    @Test func `An end keeps its cause on the wire`() {
        let end = StreamEnd(
            reason: .failed,
            error: ApusError(.attemptsExhausted, "three workers died"),
            usage: Usage(promptTokens: 3, completionTokens: 4),
            timings: StreamTimings(queueWait: .microseconds(5), firstToken: nil, total: .microseconds(70)),
            continuity: .consistent,
            attempts: 3
        )
        #expect(StreamEnd(Apus_V1_Finished(stream: StreamID(rawValue: 1), job: JobID(rawValue: 2), end: end)) == end)
        var unknown = Apus_V1_Finished()
        unknown.reason = "vanished"
        #expect(StreamEnd(unknown).reason == .failed)
        #expect(StreamEnd(unknown).error?.code == .unsupported)
    }
}

/// A seeded generator: the same bytes in every run.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = (state ^ (state >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
