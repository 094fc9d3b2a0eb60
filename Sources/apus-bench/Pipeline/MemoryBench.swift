import ApusClient
import ApusModel
import ApusTestKit
import ArgumentParser
import Foundation

/// The memory of a real worker over thousands of streams: it must come to rest.
struct MemoryBench: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "memory",
        abstract: "Two thousand streams through one real worker: its memory must not grow."
    )

    @OptionGroup var options: BenchOptions
    @OptionGroup var worker: RealWorker

    @Option(help: "Streams, one after the other in each of the lanes.")
    var streams = 2_000

    @Option(help: "Streams beside each other.")
    var lanes = 16

    @Option(help: "Streams between two looks at the memory.")
    var interval = 200

    @Option(help: "Seconds after which no more streams begin, on a machine that is too slow or busy for all of them.")
    var seconds = 240

    func validate() throws {
        guard (1...64).contains(lanes), interval >= lanes, streams >= 4 * interval else {
            throw ValidationError("1 to 64 lanes, no less than that between two looks, and 4 looks or more are needed.")
        }
    }

    func measure(program: String, into figures: inout Figures) async throws {
        let cluster = try TestCluster(executable: program)
        let process = try worker.start(on: cluster, slots: lanes, context: 1_024)
        let view = ProcessView(processID: process.processID)
        let configuration = ClientConfiguration(endpoint: cluster.clients, name: "bench")
        let begin = view.residentBytes
        let sizes = try await ApusClient.withClient(configuration) { client in
            var sizes: [(streams: Int, bytes: Int)] = []
            let deadline = ContinuousClock.now + .seconds(seconds)
            for start in stride(from: 0, to: streams, by: interval)
            where ContinuousClock.now < deadline {
                let end = min(streams, start + interval)
                try await run(start..<end, on: client)
                sizes.append((end, view.residentBytes))
                Progress.say("\(end) streams: \(view.residentBytes / 1_000_000) MB")
            }
            return sizes
        }
        figures.add("worker's memory at the start", Double(begin) / 1e6, "MB")
        for (count, bytes) in sizes { figures.add("worker's memory after \(count) streams", Double(bytes) / 1e6, "MB") }
        guard let last = sizes.last, let half = sizes.last(where: { $0.streams <= last.streams / 2 }) else {
            throw BenchFailure("too few streams ran within \(seconds) s")
        }
        figures.add("streams that ran", Double(last.streams), "streams", goal: .exactly(Double(streams)))
        let growth = Double(last.bytes - half.bytes) / Double(half.bytes) * 100
        figures.add("growth over the second half", growth, "%", goal: .atMost(1))
        withExtendedLifetime(process) {}
    }

    private func run(_ numbers: Range<Int>, on client: ApusClient) async throws {
        try await withThrowingTaskGroup { group in
            for lane in 0..<lanes {
                group.addTask {
                    for number in stride(from: numbers.lowerBound + lane, to: numbers.upperBound, by: lanes) {
                        _ = try await StreamRecorder.run([Self.request(number)], on: client)
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    /// Short streams of many kinds.
    private static func request(_ number: Int) -> GenerationRequest {
        let seed = UInt64(number)
        var sampling = SamplingParameters(seed: seed)
        if number % 2 == 1 {
            sampling.temperature = 0.8
            sampling.topK = 40
            sampling.topP = 0.95
        }
        if number % 4 == 3 {
            sampling.repetitionPenalty = 1.1
            sampling.dry = DryParameters(multiplier: 0.8)
        }
        return GenerationRequest(
            prompt: Lexicon.text(words: 4 + number * 7 % 60, seed: seed),
            isRaw: number % 3 == 0,
            maximumTokens: 2 + number * 5 % 22,
            sampling: sampling,
            stop: number % 5 == 0 ? ["\n\n", "the end"] : [],
            ignoresEndOfGeneration: number % 7 == 0
        )
    }
}
