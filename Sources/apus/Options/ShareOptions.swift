import ApusModel
import ArgumentParser

/// How clients share the workers; for the coordinator and for what starts one.
struct ShareOptions: ParsableArguments {
    @Option(
        name: .customLong("share"),
        help: ArgumentHelp(
            "A client's share of the workers against others', 1 to 1000; default 1. May be given several times.",
            valueName: "name=weight"
        ),
        transform: ClientShare.init
    )
    var shares: [ClientShare] = []

    func validate() throws {
        _ = try weights()
    }

    /// The weights of clients by their names.
    ///
    /// - Throws: `ValidationError` where a client has two.
    func weights() throws -> [String: Int] {
        var weights: [String: Int] = [:]
        for share in shares {
            guard weights.updateValue(share.weight, forKey: share.name.text) == nil else {
                throw ValidationError("--share gives \(share.name) two weights; a client has one.")
            }
        }
        return weights
    }

    /// The options as a coordinator's arguments.
    var arguments: [String] { shares.flatMap { ["--share", "\($0.name)=\($0.weight)"] } }
}
