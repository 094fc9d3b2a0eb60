import ApusClient
import ApusModel
import ArgumentParser

/// Changes how workers choose their batches.
struct Configure: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Change how a worker chooses its batches, while it runs.",
        discussion: """
            Examples:

              apus configure worker-1 --max-batch 4
              apus configure --all --policy aimd --inter-token-ms 50

            What is not given stays as it is. The output of no stream depends on any of it.
            """
    )

    @OptionGroup var client: ClientOptions

    @Flag(help: "Change all workers.")
    var all = false

    @Option(help: ArgumentHelp("The batch controller never goes below this.", valueName: "n"))
    var minBatch: Int?

    @Option(help: ArgumentHelp("The batch controller never goes above this.", valueName: "n"))
    var maxBatch: Int?

    @Option(
        help: ArgumentHelp(
            "cost: by the measured cost of a step; aimd: by additive increase, multiplicative decrease.",
            valueName: "policy"
        )
    )
    var policy: BatchPolicy?

    @Option(help: ArgumentHelp("The time between tokens to keep, for jobs without their own.", valueName: "ms"))
    var interTokenMs: Int?

    @Option(help: ArgumentHelp("How reliable the network is, from 0, nothing arrives, to 1, perfect.", valueName: "s"))
    var networkStability: Double?

    @Argument(help: "The worker's name, as status prints it.")
    var worker: WorkerName?

    func validate() throws {
        if all == (worker != nil) { throw ValidationError("Name a worker, or give --all.") }
        if settings == WorkerSettings() {
            throw ValidationError(
                "Give what to change: --min-batch, --max-batch, --policy, --inter-token-ms or --network-stability."
            )
        }
    }

    /// What to change.
    var settings: WorkerSettings {
        WorkerSettings(
            batchMinimum: minBatch,
            batchMaximum: maxBatch,
            policy: policy,
            interTokenTarget: interTokenMs.map { .milliseconds($0) },
            networkStability: networkStability
        )
    }

    func run() async throws {
        try settings.validate()
        try await ApusClient.withClient(client.configuration(name: "apus-configure")) { connection in
            try await connection.configure(worker, settings)
        }
        Terminal.printError("configured \(worker?.text ?? "all workers")")
    }
}
