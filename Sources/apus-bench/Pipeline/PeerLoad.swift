/// What the pipeline benchmark asks of llama.cpp's own loop, and what the worker, which is loaded, uses meanwhile.
struct PeerLoad {
    private let peer: BatchedBench
    private let model: String
    private let threads: Int
    private let idle: ProcessView
    private var idleSeconds = 0.0
    private var seconds = 0.0

    init(peer: BatchedBench, model: String, threads: Int, idle: ProcessView) {
        self.peer = peer
        self.model = model
        self.threads = threads
        self.idle = idle
    }

    /// The share of a processor that the worker took while the peer ran.
    var idleShare: Double { idleSeconds / seconds }

    /// Tokens a second of some sequences beside each other.
    mutating func generation(prompt: Int, tokens: Int, streams: Int) throws -> Double {
        try run(prompts: [prompt], tokens: tokens, streams: streams)[0].generationSpeed
    }

    /// Prompt tokens a second, one prompt after the other: what is fastest there.
    mutating func prompts(of length: Int, count: Int) throws -> Double {
        let outcomes = try run(prompts: Array(repeating: length, count: count), tokens: 1, streams: 1)
        return Double(length * count) / outcomes.reduce(0) { $0 + $1.promptSeconds }
    }

    private mutating func run(prompts: [Int], tokens: Int, streams: Int) throws -> [BatchedBench.Outcome] {
        let before = idle.processorSeconds
        let begin = ContinuousClock.now
        defer {
            idleSeconds += idle.processorSeconds - before
            seconds += (ContinuousClock.now - begin).seconds
        }
        return try peer.run(model: model, threads: threads, prompts: prompts, tokens: tokens, streams: streams)
    }
}
