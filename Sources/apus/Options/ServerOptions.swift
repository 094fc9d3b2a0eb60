import ArgumentParser
import Logging

/// What all servers take.
struct ServerOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("What to log on the error output: trace, debug, info, warning or error.", valueName: "level")
    )
    var logLevel: Logger.Level = .info

    @Flag(help: ArgumentHelp("Stop when the standard input closes.", visibility: .hidden))
    var exitWithStdin = false

    /// A logger at that level.
    func logger(_ label: String) -> Logger {
        var logger = Logger(label: label) { LineLogHandler(label: $0) }
        logger.logLevel = logLevel
        return logger
    }
}
