import ApusModel
import Foundation

/// The jobs and workers with which placement policies are compared.
///
/// Bursts by client are as published of production traffic; the numbers are chosen, for the small model whose speed was measured:
/// - *Arrivals* are bursty, and each client has its own bursts (ServeGen, arXiv 2505.09999; BurstGPT, arXiv 2401.17644): a client is
///   silent and active in turn, for times that are exponential around `meanSilence` and `meanActivity`; while it is active, its jobs
///   come as a Poisson process.
/// - *Lengths* are log-normal: a prompt's own part around `promptMedian` with `promptSpread`, an answer around `outputMedian` with
///   `outputSpread`, both cut at a maximum. With the shared part that makes about 1,000 tokens in and 170 out.
/// - *Prefixes* are shared: every prompt begins with one of `systemPrompts` texts, drawn by Zipf's law with `zipfExponent`, of 1 to
///   `longestSystemPrompt` blocks of 128 tokens; the rest is its own.
/// - *Clients* differ: one has 30 % of the jobs, one has 20 % and a double share, five have 10 % each and a single share.
/// - *Workers* have two speeds. The faster half takes 2.6 ms a step, 1.4 ms more for each stream in it and 0.635 ms for each prompt
///   token (SmolLM2-135M, Q4_0, llama.cpp, 2 threads: 248 tokens/s alone, 578 with 8 streams, prompts 1,576); the other half is
///   `slowFactor` times slower. A step computes up to 128 prompt tokens, oldest prompt first, beside a token for each decoding
///   stream, as the real pipeline does. Each worker keeps `cachedBlocks` blocks of prompts, those that were used last.
public struct PolicyWorkload: Hashable, Sendable {
    /// Jobs of a run.
    public var jobs = 1_500

    /// The share of the run's first jobs that only warm caches and estimates up and are not measured.
    public var warmUp = 0.1

    /// Mean time for which a client is active, in seconds.
    public var meanActivity = 4.0

    /// Mean time for which a client is silent, in seconds.
    public var meanSilence = 6.0

    /// Median of the tokens of a prompt's own part.
    public var promptMedian = 160.0

    /// Standard deviation of the logarithm of a prompt's own tokens.
    public var promptSpread = 1.0

    /// The most tokens of a prompt's own part.
    public var longestPrompt = 4_096

    /// Median of an answer's tokens.
    public var outputMedian = 128.0

    /// Standard deviation of the logarithm of an answer's tokens.
    public var outputSpread = 0.8

    /// The most tokens of an answer.
    public var longestOutput = 1_024

    /// Texts with which prompts begin.
    public var systemPrompts = 48

    /// How unevenly they are used.
    public var zipfExponent = 1.0

    /// Blocks of the longest of them.
    public var longestSystemPrompt = 12

    /// Workers, half of them fast.
    public var workers = 16

    /// Slots of each worker.
    public var slots = 8

    /// Blocks of prompts that each worker keeps.
    public var cachedBlocks = 192

    /// The part of the prompt tokens that is thought cached where loads are told as a part of the capacity: about what round robin
    /// reaches.
    public var cachedPart = 0.45

    /// The time of a faster worker's step without streams, in nanoseconds.
    public var stepTime: Int64 = 2_600_000

    /// What a stream adds to it.
    public var streamTime: Int64 = 1_400_000

    /// What a prompt's token adds to it.
    public var prefillTime: Int64 = 635_000

    /// How much slower the other half of the workers is.
    public var slowFactor: Int64 = 2

    /// Prompt tokens that a step computes.
    public var prefillBudget = 128

    /// The parameters that the documentation's table was made with.
    public init() {}

    /// A client's part of the traffic.
    struct Client: Sendable {
        let name: String

        /// Its part of the jobs, in per cent.
        let jobs: Int

        /// The weight of its share.
        let share: Int

        /// Whether it is one of those that should fare alike.
        var isAlike: Bool { name.hasPrefix("alike") }
    }

    /// All clients; their parts make 100.
    static let clients: [Client] =
        [Client(name: "bulk", jobs: 30, share: 1), Client(name: "double", jobs: 20, share: 2)]
        + (1...5).map { Client(name: "alike\($0)", jobs: 10, share: 1) }

    /// Blocks of each system prompt, the same in every run.
    var systemPromptBlocks: [Int] {
        (0..<systemPrompts).map { 1 + Int(Truth.mix(UInt64($0 + 1)) % UInt64(longestSystemPrompt)) }
    }

    /// The probability of each system prompt.
    var systemPromptShares: [Double] {
        let weights = (1...systemPrompts).map { pow(Double($0), -zipfExponent) }
        let sum = weights.reduce(0, +)
        return weights.map { $0 / sum }
    }

    /// Tokens that the shared part of a prompt has on average.
    public var meanSharedTokens: Double {
        zip(systemPromptBlocks, systemPromptShares).reduce(0) { $0 + Double($1.0) * $1.1 } * 128
    }

    /// Jobs a second that the workers could just serve if every slot was always in use and `cachedPart` of the prompts was cached.
    ///
    /// A job takes the tokens of its prompt that are not cached alone, and its answer's part of a full batch's steps.
    public var capacity: Double {
        let prompt = meanSharedTokens + Self.mean(median: promptMedian, spread: promptSpread)
        let output = Self.mean(median: outputMedian, spread: outputSpread)
        let row = Double(stepTime) / Double(slots) + Double(streamTime)
        let fast = 1e9 / (prompt * (1 - cachedPart) * Double(prefillTime) + output * row)
        return fast * (Double(workers - workers / 2) + Double(workers / 2) / Double(slowFactor))
    }

    /// The mean of a log-normal quantity.
    static func mean(median: Double, spread: Double) -> Double { median * exp(spread * spread / 2) }
}
