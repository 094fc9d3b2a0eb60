import ArgumentParser

/// Runs simulated clusters.
@main
struct ApusSim: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apus-sim",
        abstract: "Run the coordinator's core in simulated clusters."
    )
}
