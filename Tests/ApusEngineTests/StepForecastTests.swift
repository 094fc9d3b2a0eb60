import ApusModel
import Testing

@testable import ApusEngine

@Suite("Step forecast")
struct StepForecastTests {
    private func forecast(prefill: Duration? = nil, step: Duration? = nil) -> StepForecast {
        StepForecast(chunkTokens: 128, prefillTime: prefill, stepTime: step)
    }

    @Test("The first pass of an engine that knows nothing of itself may take 10 s, the next what the first one took")
    func unknown() {
        var forecast = forecast()
        #expect(forecast.time(chunk: 128, rows: 0) == .seconds(10))
        #expect(forecast.time(chunk: 0, rows: 1) == .seconds(10))
        forecast.chunkMeasured(tokens: 128, time: .milliseconds(50))
        forecast.decodeMeasured(rows: 1, time: .milliseconds(5))
        #expect(forecast.time(chunk: 128, rows: 0) == .milliseconds(150))
        #expect(forecast.time(chunk: 0, rows: 1) == .milliseconds(15))
        #expect(forecast.time(chunk: 64, rows: 1) == .milliseconds(90))
    }

    @Test("What the engine knows of itself counts from the first pass on, three times over")
    func seeded() {
        let slow = forecast(prefill: .milliseconds(5_120), step: .milliseconds(400))
        #expect(slow.time(chunk: 128, rows: 0) == .milliseconds(15_360))
        #expect(slow.time(chunk: 0, rows: 1) == .milliseconds(1_200))
        let fast = forecast(prefill: .milliseconds(20), step: .milliseconds(5))
        #expect(fast.time(chunk: 0, rows: 1) < .milliseconds(50))
        #expect(forecast(prefill: .zero, step: .zero).time(chunk: 128, rows: 9) == .zero)
    }

    @Test("It follows a rise at once and a fall slowly")
    func follows() {
        var forecast = forecast(prefill: .milliseconds(10), step: .milliseconds(5))
        forecast.decodeMeasured(rows: 1, time: .seconds(2))
        #expect(forecast.time(chunk: 0, rows: 1) == .seconds(6))
        forecast.decodeMeasured(rows: 1, time: .milliseconds(5))
        #expect(forecast.time(chunk: 0, rows: 1) > .seconds(5))
        for _ in 0..<60 { forecast.decodeMeasured(rows: 1, time: .milliseconds(5)) }
        #expect(forecast.time(chunk: 0, rows: 1) < .milliseconds(20))
    }

    @Test("A pass with more rows than the recent ones is expected to take as much longer")
    func moreRows() {
        var forecast = forecast(step: .milliseconds(100))
        #expect(forecast.time(chunk: 0, rows: 16) == .milliseconds(4_800))
        forecast.decodeMeasured(rows: 16, time: .milliseconds(110))
        #expect(forecast.time(chunk: 0, rows: 16) == .milliseconds(330))
        forecast.decodeMeasured(rows: 1, time: .milliseconds(100))
        #expect(forecast.time(chunk: 0, rows: 16) < .milliseconds(400))
    }

    @Test("A part of a chunk takes its share of the time, and an eighth at least")
    func parts() {
        let forecast = forecast(prefill: .milliseconds(80))
        #expect(forecast.time(chunk: 64, rows: 0) == .milliseconds(120))
        for tokens in [16, 8, 1] { #expect(forecast.time(chunk: tokens, rows: 0) == .milliseconds(30)) }
        // A history longer than a chunk takes no longer than one.
        #expect(forecast.time(chunk: 500, rows: 0) == .milliseconds(240))
    }

    @Test("A small chunk says how long small ones take, and little of a whole one unless nothing else is known")
    func smallChunks() {
        var known = forecast(prefill: .milliseconds(100), step: .zero)
        known.chunkMeasured(tokens: 2, time: .milliseconds(10))
        #expect(known.time(chunk: 128, rows: 0) == .milliseconds(300))
        known.chunkMeasured(tokens: 2, time: .milliseconds(200))
        #expect(known.time(chunk: 2, rows: 0) == .milliseconds(600))
        var unknown = forecast()
        unknown.chunkMeasured(tokens: 2, time: .milliseconds(80))
        #expect(unknown.time(chunk: 128, rows: 0) == .milliseconds(15_360))
    }

    @Test("A slow pass is forgotten, also where only small chunks run")
    func forgets() {
        var forecast = forecast(prefill: .milliseconds(100))
        forecast.chunkMeasured(tokens: 16, time: .seconds(3))
        #expect(forecast.time(chunk: 16, rows: 0) == .seconds(9))
        for _ in 0..<60 { forecast.chunkMeasured(tokens: 16, time: .milliseconds(15)) }
        #expect(forecast.time(chunk: 16, rows: 0) < .milliseconds(60))
        // A whole chunk may take as long as its eight parts.
        #expect(forecast.time(chunk: 128, rows: 0) >= .milliseconds(360))
    }

    @Test("No step is expected to take longer than the minute that the coordinator grants")
    func bounded() {
        var forecast = forecast(prefill: .seconds(1_000_000_000), step: .zero)
        #expect(forecast.time(chunk: 128, rows: 0) == .seconds(60))
        forecast.chunkMeasured(tokens: 0, time: .seconds(-5))
        forecast.decodeMeasured(rows: 0, time: .seconds(-5))
        #expect(forecast.time(chunk: 128, rows: 0) == .seconds(60))
    }

    @Test("A pipeline's first forecast is three times the simulated engine's costs")
    func pipeline() {
        var configuration = SimulatedEngineConfiguration()
        configuration.prefillMicrosecondsPerToken = 40_000
        configuration.stepMicroseconds = 5_000
        configuration.prefillChunk = 128
        let engine = SimulatedEngine(configuration)
        #expect(engine.description.prefillTime == .milliseconds(5_120))
        #expect(engine.description.stepTime == .microseconds(5_300))
        var pipeline = Pipeline(engine: engine)
        pipeline.start(
            Assignment(
                stream: StreamID(rawValue: 1),
                epoch: Epoch(rawValue: 1),
                request: GenerationRequest(prompt: Array(repeating: "a", count: 128).joined(separator: " ")),
                history: [],
                limit: 10
            )
        )
        #expect(pipeline.prepare() == .milliseconds(15_360))
        configuration.prefillChunk = 512
        var larger = Pipeline(engine: SimulatedEngine(configuration))
        larger.start(assignment(1, prompt: Array(repeating: "a", count: 128).joined(separator: " ")))
        #expect(larger.prepare() == .milliseconds(15_360))
    }
}
