import ApusJournal
import ApusModel
import ArgumentParser
import Foundation

/// Looks after a journal that no coordinator has open.
struct JournalCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "journal",
        abstract: "Check, repair or export the journal of a coordinator that is stopped.",
        subcommands: [JournalCheckCommand.self, JournalRepairCommand.self, JournalExportCommand.self]
    )
}

/// Says whether a journal is whole.
struct JournalCheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Read everything in the journal, and change nothing.",
        discussion: """
            Example:

              apus journal check --data /var/lib/apus

            Exit status 1 where something is damaged; it is printed with its place, and with
            what a repair would cost.
            """
    )

    @OptionGroup var journal: JournalFolderOption

    @Option(help: ArgumentHelp("How to print the report: text or json.", valueName: "format"))
    var output: StreamFormat = .text

    func run() async throws {
        let report = try JournalCheck.run(folder: journal.folder)
        try JournalReportText.write(report, of: journal.folder, as: output)
        if !report.isWhole {
            throw CommandExit(.failed, "the journal is damaged; `apus journal repair` saves what is whole")
        }
    }
}

/// Makes a damaged journal whole.
struct JournalRepairCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "repair",
        abstract: "Save everything that is whole into a new journal.",
        discussion: """
            Example:

              apus journal repair --data /var/lib/apus

            The damaged file stays beside the new one. A running stream that lost tokens is
            computed again from its first token; an ended one is forgotten and named.
            """
    )

    @OptionGroup var journal: JournalFolderOption

    @Option(help: ArgumentHelp("How to print the report: text or json.", valueName: "format"))
    var output: StreamFormat = .text

    func run() async throws {
        let report = try JournalRepair.run(folder: journal.folder, at: Int64(Date().timeIntervalSince1970))
        try JournalReportText.write(report, of: journal.folder, as: output)
    }
}

/// Gives out all that a journal holds.
struct JournalExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Print every job as a line of JSON, oldest first.",
        discussion: """
            Example:

              apus journal export --data /var/lib/apus | jq -r '.job + " " + .streams[0].text'

            A line has the job's id, key, client and request, prompt included, and its
            streams with model, text, token ids and end.
            """
    )

    @OptionGroup var journal: JournalFolderOption

    func run() async throws {
        try JournalExport.run(folder: journal.folder) { job in try Terminal.write(try JSONLine.encode(job)) }
    }
}

/// What was found in a journal, as people read it.
enum JournalReportText {
    /// Writes a report to the standard output.
    ///
    /// - Throws: `CommandExit` where the reader is gone.
    static func write(_ report: JournalReport, of folder: String, as format: StreamFormat) throws {
        switch format {
        case .text: try Terminal.write(lines(report, of: folder).map { $0 + "\n" }.joined())
        case .json: try Terminal.write(try JSONLine.encode(report))
        }
    }

    /// The report's lines.
    static func lines(_ report: JournalReport, of folder: String) -> [String] {
        var lines = report.findings.map { "\($0.place): \($0.problem)" }
        let unnamed = report.findingCount - report.findings.count
        if unnamed > 0 { lines.append("and \(unnamed) more") }
        for loss in report.losses {
            let job = loss.job.isEmpty ? "a job whose name is lost" : "job \(loss.job)"
            lines.append("\(job), stream \(loss.stream): \(words(loss.outcome))")
        }
        if let damaged = report.damagedFile { lines.append("the damaged journal is kept as \(damaged)") }
        let state =
            report.isWhole
            ? "whole" : report.damagedFile == nil ? "\(report.findingCount) places are damaged" : "repaired"
        lines.append(
            "\(folder): \(report.jobs) jobs, \(report.runningStreams) streams not ended, \(report.tokens) tokens: \(state)"
        )
        return lines
    }

    private static func words(_ outcome: JournalReport.Outcome) -> String {
        switch outcome {
        case .computedAgain: "computed again from its first token"
        case .forgotten: "had ended, and is forgotten"
        case .failed: "had ended, and counts as failed"
        case .lost: "lost"
        }
    }
}
