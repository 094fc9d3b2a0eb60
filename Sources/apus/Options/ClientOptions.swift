import ApusClient
import ApusModel
import ArgumentParser

/// How a command reaches its cluster.
struct ClientOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Where the coordinator listens for clients; default $APUS_COORDINATOR, then tcp://127.0.0.1:5700.",
            valueName: "endpoint"
        )
    )
    var coordinator: String?

    @Option(
        help: ArgumentHelp("How long to wait for the connection, in seconds.", valueName: "seconds")
    )
    var connectTimeout: Double = 5

    @Option(
        help: ArgumentHelp("How long to wait for an answer, in seconds.", valueName: "seconds")
    )
    var readTimeout: Double = 30

    func validate() throws {
        for (name, value) in [("--connect-timeout", connectTimeout), ("--read-timeout", readTimeout)]
        where !(value > 0 && value <= 86_400) {
            throw ValidationError("\(name) is \(value); it must be above 0 and at most 86400.")
        }
    }

    /// The client's configuration.
    func configuration(name: String) -> ClientConfiguration {
        ClientConfiguration(
            endpoint: coordinator ?? Environment.coordinator ?? ClientConfiguration.defaultEndpoint,
            name: name,
            connectTimeout: .milliseconds(Int64(connectTimeout * 1000)),
            readTimeout: .milliseconds(Int64(readTimeout * 1000))
        )
    }
}

/// How `submit` and `attach` print what comes.
enum StreamFormat: String, ExpressibleByArgument, CaseIterable {
    /// The text as it comes.
    case text
    /// One JSON object a line.
    case json
}

/// How lists are printed.
enum ListFormat: String, ExpressibleByArgument, CaseIterable {
    /// Aligned columns.
    case table
    /// One JSON object a line.
    case json
}
