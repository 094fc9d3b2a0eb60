import ApusClient
import ApusEngine
import ApusModel

/// Streams that come at moments that are the same in every run, in phases: few, more than the worker can take, long prompts,
/// nearly as many as it can take.
struct ChangingLoad: Sendable {
    /// A part of the load.
    private struct Phase: Sendable {
        /// Of the streams that the worker could serve.
        var share: Double
        /// Words of the prompts.
        var words: ClosedRange<Int>
    }

    /// A stream and its moment.
    private struct Arrival: Sendable {
        var moment: Duration
        var request: GenerationRequest
    }

    private static let phases = [
        Phase(share: 0.3, words: 8...120), Phase(share: 1.3, words: 8...120), Phase(share: 0.2, words: 300...600),
        Phase(share: 0.8, words: 8...120),
    ]

    /// Tokens of the streams.
    private static let tokens = 32...96

    private let arrivals: [Arrival]

    /// Lays out a load.
    ///
    /// - Parameters:
    ///   - tokensPerSecond: What the worker generates at the largest batch that keeps the target.
    ///   - phase: The length of a phase.
    init(tokensPerSecond: Double, phase: Duration) {
        var arrivals: [Arrival] = []
        var number: UInt64 = 0
        for (place, part) in Self.phases.enumerated() {
            let mean = Double(Self.tokens.lowerBound + Self.tokens.upperBound) / 2
            let rate = tokensPerSecond * part.share / mean
            var offset = 0.0
            while true {
                number += 1
                func drawn(_ index: UInt64, from range: ClosedRange<Int>) -> Int {
                    range.lowerBound + Int(CounterRandom.bits(seed: number, index: index) % UInt64(range.count))
                }
                // Evenly spread around the mean gap: bursts come from the phases.
                offset += (0.5 + CounterRandom.uniform(seed: number, index: 0)) / rate
                guard offset < phase.seconds else { break }
                let request = GenerationRequest(
                    prompt: Lexicon.text(words: drawn(1, from: part.words), seed: number),
                    isRaw: true,
                    maximumTokens: drawn(2, from: Self.tokens),
                    sampling: SamplingParameters(seed: number)
                )
                arrivals.append(Arrival(moment: phase * place + .seconds(offset), request: request))
            }
        }
        self.arrivals = arrivals
    }

    /// The number of streams.
    var streams: Int { arrivals.count }

    /// Submits every stream at its moment and waits for all ends.
    ///
    /// - Returns: What the streams brought.
    /// - Throws: Why one was not accepted or not served right.
    func run(on client: ApusClient) async throws -> [StreamRecord] {
        let recorder = StreamRecorder(client)
        let begin = ContinuousClock.now
        for arrival in arrivals {
            try await Task.sleep(until: begin + arrival.moment, clock: .continuous)
            try await recorder.submit(arrival.request)
        }
        await recorder.waitForEnds()
        return try recorder.checked()
    }
}
