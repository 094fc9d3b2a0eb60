import ApusModel
import ArgumentParser
import Foundation
import Logging

/// The process: parses, runs a command, and turns whatever it ends with into an exit status.
@main
enum Entry {
    /// Runs the command that the arguments name, and exits.
    static func main() async {
        // A reader that goes away is an error of the write, not the death of the process.
        signal(SIGPIPE, SIG_IGN)
        let status = await run(Array(CommandLine.arguments.dropFirst()))
        exit(status.rawValue)
    }

    /// Runs a command.
    ///
    /// - Parameter arguments: The arguments without the process's own name.
    /// - Returns: How the process has to exit.
    static func run(_ arguments: [String]) async -> ExitStatus {
        let command: any ParsableCommand
        do {
            command = try Apus.parseAsRoot(arguments)
        } catch {
            return report(parsing: error)
        }
        do {
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                var synchronous = command
                try synchronous.run()
            }
            return .done
        } catch let exit as CommandExit {
            if let message = exit.message { Terminal.complain(message) }
            return exit.status
        } catch let error as ApusError {
            Terminal.complain(error.message)
            return ExitStatus(error)
        } catch is CancellationError {
            return .interrupted
        } catch {
            return report(parsing: error)
        }
    }

    /// Prints what argument-parser has to say; asking for help or the version is no error.
    private static func report(parsing error: any Error) -> ExitStatus {
        let text = Apus.fullMessage(for: error)
        let status = ExitStatus(parserStatus: Apus.exitCode(for: error).rawValue)
        if status == .done {
            print(text)
        } else {
            Terminal.printError(text)
        }
        return status
    }
}

/// The command's root.
struct Apus: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apus",
        abstract: "A streaming-inference cluster whose streams outlive their workers.",
        discussion: """
            Start a cluster on this machine, and use it from another terminal:

              apus up --workers 2
              apus submit "Why do swifts sleep on the wing?"
              apus status --watch

            Exit status: 0 done, 1 the job failed, 2 wrong usage or input,
            3 cluster not reachable or too busy, 130 interrupted.

            APUS_COORDINATOR, APUS_MODEL and APUS_DATA stand in for --coordinator,
            --model and --data.
            """,
        version: ApusVersion.release,
        groupedSubcommands: [
            CommandGroup(name: "Serve", subcommands: [Up.self, CoordinatorCommand.self, WorkerCommand.self]),
            CommandGroup(name: "Jobs", subcommands: [Submit.self, Attach.self, Cancel.self, Jobs.self, Retry.self]),
            CommandGroup(name: "Operate", subcommands: [Status.self, Configure.self, Drain.self, JournalCommand.self]),
        ]
    )
}
