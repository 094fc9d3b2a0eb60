import ApusClient
import ApusModel

/// What the pipeline benchmark asks of a worker; every prompt is new, so that no cached beginning helps.
final class PipelineLoad {
    /// The tokens that prompts came to.
    struct Lengths {
        var short: Int
        var long: Int
    }

    /// How fast some streams generated.
    struct Generation {
        /// Tokens a second, all streams together.
        var speed: Double
        /// Tokens that a stream had generated before, in the mean.
        var tokensBefore: Int
    }

    private let client: ApusClient
    private let promptWords: Int
    private let longWords: Int
    private let tokens: Int
    private var seed: UInt64 = 0

    init(client: ApusClient, promptWords: Int, longWords: Int, tokens: Int) {
        self.client = client
        self.promptWords = promptWords
        self.longWords = longWords
        self.tokens = tokens
    }

    /// Wakes everything up and learns how many tokens the prompts have.
    func warmUp() async throws -> Lengths {
        let short = try await StreamRecorder.run(
            (0..<4).map { _ in request(words: promptWords, tokens: 16) },
            on: client
        )
        let long = try await StreamRecorder.run((0..<2).map { _ in request(words: longWords, tokens: 1) }, on: client)
        return Lengths(short: Self.promptTokens(short) / short.count, long: Self.promptTokens(long) / long.count)
    }

    /// Runs streams until all of them have generated beside each other for a while.
    ///
    /// The peer's figure, too, leaves out the prompts. Guessing ahead is switched off, for the peer doesn't guess.
    ///
    /// - Parameters:
    ///   - streams: Streams beside each other.
    ///   - isSampled: Whether tokens are drawn, or the likeliest is taken.
    /// - Returns: The speed, from the first token of the stream that was last to have one until it has all its tokens.
    /// - Throws: What keeps it from measuring.
    func generation(streams: Int, isSampled: Bool) async throws -> Generation {
        let recorder = StreamRecorder(client)
        var jobs: [JobID] = []
        for _ in 0..<streams {
            // Those whose prompts were read first are ahead, and go on to the end.
            let request = request(
                words: promptWords,
                tokens: PipelineBench.context - 2 * promptWords,
                isSampled: isSampled
            )
            jobs.append(try await recorder.submit(request).job)
        }
        await recorder.waitForTokens(tokens + 1, of: 0..<streams)
        let records = try recorder.checked()
        for job in jobs { try await client.cancel(job) }
        await recorder.waitForEnds()
        guard let last = records.max(by: { ($0.arrivals.first ?? .now) < ($1.arrivals.first ?? .now) }),
            records.allSatisfy({ !$0.isOver }), last.arrivals.count > tokens
        else { throw BenchFailure("\(streams) streams did not run beside each other for \(tokens) tokens") }
        // A step's tokens come in one message, but each stream is told after the other: a little later all have theirs.
        let turn = Duration.milliseconds(1)
        let (begin, end) = (last.arrivals[0] + turn, last.arrivals[tokens] + turn)
        let count = records.reduce(0) { $0 + $1.tokens(after: begin, upTo: end) }
        let before = records.reduce(0) { sum, record in sum + record.arrivals.count { $0 <= begin } }
        return Generation(speed: Double(count) / begin.duration(to: end).seconds, tokensBefore: before / streams)
    }

    /// Prompt tokens a second, from the first submit to the first token of the last of some prompts that queue up.
    func prompts(_ count: Int) async throws -> Double {
        let requests = (0..<count).map { _ in request(words: longWords, tokens: 1) }
        let records = try await StreamRecorder.run(requests, on: client)
        guard let begin = records.first?.submitted, let end = records.compactMap(\.arrivals.first).max() else {
            return .nan
        }
        return Double(Self.promptTokens(records)) / begin.duration(to: end).seconds
    }

    /// The times of streams that all ask a question at once.
    func questions(streams: Int, rounds: Int) async throws -> QuestionTimes {
        var times = QuestionTimes(streams: streams)
        for _ in 0..<rounds {
            let requests = (0..<streams).map { _ in
                seed += 1
                return GenerationRequest(
                    prompt: Lexicon.question(seed: seed),
                    maximumTokens: 64,
                    ignoresEndOfGeneration: true
                )
            }
            for record in try await StreamRecorder.run(requests, on: client) { times.note(record) }
        }
        return times
    }

    private func request(words: Int, tokens: Int, isSampled: Bool = false) -> GenerationRequest {
        seed += 1
        return GenerationRequest(
            prompt: Lexicon.text(words: words, seed: seed),
            isRaw: true,
            maximumTokens: tokens,
            sampling: isSampled
                ? SamplingParameters(temperature: 0.8, topK: 40, topP: 0.95, seed: seed) : SamplingParameters(),
            ignoresEndOfGeneration: true,
            speculates: false
        )
    }

    private static func promptTokens(_ records: [StreamRecord]) -> Int {
        records.reduce(0) { $0 + ($1.end?.usage.promptTokens ?? 0) }
    }
}

/// What clients see of some streams that ask a question at once.
struct QuestionTimes {
    private let streams: Int
    private var firstTokens: [Double] = []
    private var speeds: [Double] = []
    private var gaps: [Double] = []

    /// Times of no stream yet.
    init(streams: Int) {
        self.streams = streams
    }

    /// Takes a stream.
    mutating func note(_ record: StreamRecord) {
        firstTokens.append(record.firstToken)
        speeds.append(record.tokensPerSecond)
        gaps += record.gaps
    }

    /// Adds the times to the figures.
    func report(into figures: inout Figures) {
        figures.add("first token, \(streams) streams at once", milliseconds: firstTokens, goals: [100: .atMost(200)])
        let slowest = speeds.min() ?? .nan
        figures.add("slowest stream of \(streams)", slowest, "tokens/s", goal: .atLeast(20))
        figures.add("mean time of a token, \(streams) streams", gaps.reduce(0, +) / Double(gaps.count), "ms")
    }
}
