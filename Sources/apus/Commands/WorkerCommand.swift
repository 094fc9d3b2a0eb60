import ApusEngine
import ApusLlama
import ApusModel
import ApusWorker
import ArgumentParser
import Foundation
import Logging

/// Runs a worker.
struct WorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker",
        abstract: "Run a worker: it computes streams for a coordinator.",
        discussion: """
            Examples:

              apus worker
              apus worker --coordinator tcp://10.0.0.5:5701 --model model.gguf
              apus worker --engine simulated --sim-step-us 2000
              apus worker --describe | jq -r .chat_template

            Prints `READY worker=NAME model=MODEL slots=N coordinator=ENDPOINT` when it
            serves. A coordinator that is not there yet is waited for.
            """
    )

    @Option(
        help: ArgumentHelp(
            "Where the coordinator listens for workers; default $APUS_COORDINATOR, then tcp://127.0.0.1:5701.",
            valueName: "endpoint"
        )
    )
    var coordinator: String?

    @Option(
        help: ArgumentHelp("The worker's name, unique in the cluster; default: host and process.", valueName: "name")
    )
    var name: WorkerName?

    @Flag(help: "Load the model, print what it is as JSON, its chat template too, and end.")
    var describe = false

    @OptionGroup var engine: EngineOptions
    @OptionGroup var server: ServerOptions

    func run() async throws {
        if engine.engine == .llama { LlamaProcess.settleThreads() }
        guard !describe else {
            let model = try EngineFactory.make(engine)()
            return try Terminal.write(try JSONLine.encode(ModelDescription(model.description)))
        }
        let name = name ?? Self.defaultName(host: ProcessInfo.processInfo.hostName, pid: getpid())
        let endpoint = coordinator ?? Environment.coordinator ?? "tcp://127.0.0.1:5701"
        let logger = server.logger(name.text)
        var configuration = WorkerConfiguration(coordinator: endpoint, name: name)
        configuration.batch = EngineFactory.batch(engine)
        configuration.prefixCacheBytes = engine.prefixCacheMb << 20
        configuration.memoryLimitBytes = engine.memoryLimitMb.map { UInt64($0) << 20 }
        let worker = try Worker(
            configuration: configuration,
            logger: logger,
            onReady: { description in
                // A reader that is gone does not need to know that the worker is ready.
                try? Terminal.write(
                    "READY worker=\(name) model=\(description.model) slots=\(description.slots) "
                        + "coordinator=\(endpoint)\n"
                )
            },
            engine: try EngineFactory.make(engine)
        )
        try await Server.run(worker, exitsWithStdin: server.exitWithStdin, logger: logger)
    }

    /// A valid name from a host's name and a process's number.
    static func defaultName(host: String, pid: Int32) -> WorkerName {
        let suffix = "-\(pid)"
        let short = host.split(separator: ".").first.map(String.init) ?? ""
        let letters = short.filter { WorkerName(String($0)) != nil }
        let stem = letters.isEmpty ? "worker" : letters
        return WorkerName(unchecked: String(stem.prefix(Limits.nameBytes - suffix.utf8.count)) + suffix)
    }
}
