import ApusTestKit
import ArgumentParser
import Foundation

/// llama.cpp's own batched loop: the peer of the pipeline benchmark.
///
/// It feeds random tokens, one for each of some sequences a pass, and never looks at the logits. Nothing is sampled, sent or
/// turned into text: what it moves is an upper bound for a server on the same library.
struct BatchedBench: ParsableArguments {
    @Option(help: "llama-batched-bench; default: $APUS_BATCHED_BENCH, then in the prefix of llama.cpp.")
    var batchedBench: String?

    @Option(
        help: """
            GOMP_SPINCOUNT of llama-batched-bench; default: as OpenMP comes, the best on a quiet machine. On a machine with \
            other work it then stands still for seconds: set 1000, as workers do, to compare there.
            """
    )
    var peerSpin: Int?

    /// What a run measured.
    struct Outcome: Decodable {
        /// Prompt tokens a second, all sequences together.
        var promptSpeed: Double
        /// Generated tokens a second, all sequences together.
        var generationSpeed: Double
        /// Seconds for the prompts.
        var promptSeconds: Double
        /// Prompt tokens of a sequence.
        var promptTokens: Int

        private enum CodingKeys: String, CodingKey {
            case promptSpeed = "speed_pp"
            case generationSpeed = "speed_tg"
            case promptSeconds = "t_pp"
            case promptTokens = "pp"
        }
    }

    private var path: String {
        let variables = ProcessInfo.processInfo.environment
        let prefix = variables["APUS_LLAMA_PREFIX"] ?? (variables["HOME"] ?? "") + "/.local/share/apus/llama"
        return batchedBench ?? variables["APUS_BATCHED_BENCH"] ?? prefix + "/bin/llama-batched-bench"
    }

    /// Runs it with what a worker's engine has: flash attention, keys and values in F16, a cache of its own for each
    /// sequence, passes of at most 512 tokens, as many threads.
    ///
    /// - Parameters:
    ///   - model: The model's file.
    ///   - threads: Threads of a pass.
    ///   - prompts: Prompt tokens of a sequence, a measurement each.
    ///   - tokens: Tokens to generate in each sequence.
    ///   - streams: Sequences beside each other.
    /// - Returns: What each measurement showed.
    /// - Throws: `ServerProcess.Failure` where it can't run, with what it wrote.
    func run(model: String, threads: Int, prompts: [Int], tokens: Int, streams: Int) throws -> [Outcome] {
        let program = path
        guard FileManager.default.isExecutableFile(atPath: program) else {
            throw ServerProcess.Failure(
                description: "\(program) is missing: run Scripts/setup.sh, or set APUS_BATCHED_BENCH"
            )
        }
        let context = streams * PipelineBench.context
        // A variable that was set for workers must not slow the peer down.
        let spin = peerSpin.map { ["GOMP_SPINCOUNT=\($0)"] } ?? []
        let command = try ServerProcess(
            "/usr/bin/env",
            ["-u", "GOMP_SPINCOUNT", "-u", "OMP_WAIT_POLICY"] + spin + [
                program, "-m", model, "-c", "\(context)", "-b", "2048",
                "-ub", "512", "-fa", "on", "-ctk", "f16", "-ctv", "f16", "-no-kvu", "-ngl", "0", "-t", "\(threads)",
                "-tb", "\(threads)", "-npp", prompts.map(String.init).joined(separator: ","), "-ntg", "\(tokens)",
                "-npl",
                "\(streams)", "--output-format", "jsonl",
            ]
        )
        let output = command.readToEnd()
        let status = command.waitForExit()
        let outcomes = output.split(separator: "\n").filter { $0.hasPrefix("{") }.compactMap {
            try? JSONDecoder().decode(Outcome.self, from: Data($0.utf8))
        }
        guard status == 0, outcomes.count == prompts.count else {
            throw ServerProcess.Failure(
                description:
                    "\(program) ended with \(status) and \(outcomes.count) results: \(command.errors.suffix(2_000))"
            )
        }
        return outcomes
    }
}
