import ApusCore
import ApusEngine
import ApusModel
import Testing

/// A clock that moves by a microsecond whenever it is read, and by more where a test says so.
final class TestClock {
    private(set) var nanoseconds: Int64 = 1_000_000
    var tick: Int64 = 1_000

    func read() -> Timestamp {
        nanoseconds += tick
        return Timestamp(nanoseconds: nanoseconds)
    }

    func advance(milliseconds: Int64) { nanoseconds += milliseconds * 1_000_000 }
}

/// What streams got from a pipeline.
struct Collected {
    var ids: [UInt64: [Int32]] = [:]
    var texts: [UInt64: [UInt8]] = [:]
    var firstIndex: [UInt64: Int] = [:]
    var ends: [UInt64: AttemptEnd] = [:]

    mutating func take(_ result: StepResult) {
        #expect(result.tokens.isValid)
        var token = 0
        var byte = 0
        for row in 0..<result.tokens.rows {
            let stream = result.tokens.streams[row]
            #expect(ends[stream] == nil, "a token after the end")
            let index = Int(result.tokens.firstIndexes[row])
            let first = firstIndex[stream] ?? index
            firstIndex[stream] = first
            #expect(index == first + (ids[stream]?.count ?? 0))
            for _ in 0..<result.tokens.counts[row] {
                let length = Int(result.tokens.textLengths[token])
                ids[stream, default: []].append(result.tokens.ids[token])
                texts[stream, default: []] += result.tokens.text[byte..<byte + length]
                token += 1
                byte += length
            }
        }
        for end in result.ends {
            #expect(ends[end.stream.rawValue] == nil, "a second end")
            ends[end.stream.rawValue] = end
        }
    }

    func text(_ stream: UInt64) -> String { String(decoding: texts[stream] ?? [], as: UTF8.self) }
}

func assignment(
    _ stream: UInt64,
    prompt: String = "tell me of swifts",
    tokens: Int = 24,
    stop: [String] = [],
    epoch: UInt32 = 1,
    history: [Int32] = [],
    limit: Int = 1_000
) -> Assignment {
    Assignment(
        stream: StreamID(rawValue: stream),
        epoch: Epoch(rawValue: epoch),
        request: GenerationRequest(prompt: prompt, maximumTokens: tokens, sampling: .init(seed: stream), stop: stop),
        history: history.map { TokenID(rawValue: $0) },
        limit: limit
    )
}

func simulated(slots: Int = 8, contextTokens: Int = 10_000, endsOneTokenIn: Int = 0) -> Pipeline {
    var configuration = SimulatedEngineConfiguration.free
    configuration.slots = slots
    configuration.contextTokens = contextTokens
    configuration.endsOneTokenIn = endsOneTokenIn
    configuration.prefillQuantum = 2
    configuration.prefillChunk = 4
    configuration.replayChunk = 5
    let clock = TestClock()
    return Pipeline(
        engine: SimulatedEngine(configuration),
        batch: .init(minimum: slots, maximum: slots),
        clock: clock.read
    )
}

func scripted(_ engine: ScriptedEngine, clock: TestClock = TestClock()) -> Pipeline {
    Pipeline(engine: engine, batch: .init(minimum: 4, maximum: 4), clock: clock.read)
}

func run(_ pipeline: inout Pipeline, steps: Int = .max) -> Collected {
    var collected = Collected()
    run(&pipeline, steps: steps, into: &collected)
    return collected
}

func run(_ pipeline: inout Pipeline, steps: Int = .max, into collected: inout Collected) {
    var result = StepResult()
    var count = 0
    while count < steps, pipeline.step(into: &result) {
        collected.take(result)
        count += 1
    }
}

extension Pipeline {
    mutating func acknowledge(_ stream: UInt64, through: Int, limit: Int) {
        acknowledge(stream: StreamID(rawValue: stream), through: through, limit: limit)
    }

    mutating func revoke(_ stream: UInt64, epoch: UInt32 = 1) {
        revoke(stream: StreamID(rawValue: stream), epoch: Epoch(rawValue: epoch))
    }
}
