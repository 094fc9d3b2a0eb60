import ApusJournal
import ApusModel
import ArgumentParser
import Foundation

/// Where a coordinator keeps its journal; for the coordinator and for what starts one.
struct JournalOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Folder of the journal: what is accepted survives there; default $APUS_DATA, then ~/.local/share/apus/journal.",
            valueName: "dir"
        )
    )
    var data: String?

    @Flag(help: "Keep the journal in memory: jobs die with the coordinator.")
    var ephemeral = false

    @Option(help: ArgumentHelp("How long jobs are kept after their end; default 24.", valueName: "hours"))
    var retention: Double?

    @Option(
        help: ArgumentHelp(
            "Past this the oldest ended jobs go, then no more are accepted; default 4096.",
            valueName: "mb"
        )
    )
    var journalLimitMb: Int?

    func validate() throws {
        if ephemeral, data != nil || retention != nil || journalLimitMb != nil {
            throw ValidationError("--ephemeral keeps nothing: leave --data, --retention and --journal-limit-mb out.")
        }
        if let retention, !(retention > 0 && retention <= 24 * 365) {
            throw ValidationError("--retention is \(retention); it must be above 0 and at most 8760 hours, a year.")
        }
        if let journalLimitMb, !(16...67_108_864).contains(journalLimitMb) {
            throw ValidationError("--journal-limit-mb is \(journalLimitMb); it must be between 16 and 67108864.")
        }
    }

    /// The folder; whether or not it is there.
    var folder: String { JournalFolderOption.folder(data) }

    /// How the journal is kept on disk.
    var settings: JournalSettings {
        var settings = JournalSettings()
        if let retention { settings.retention = .milliseconds(Int64(retention * 3_600_000)) }
        if let journalLimitMb { settings.limitBytes = UInt64(journalLimitMb) << 20 }
        return settings
    }

    /// Opens the journal.
    ///
    /// - Throws: `CommandExit` where another process has it, or where it is damaged: trying again would change nothing.
    func open() throws -> any Journal {
        if ephemeral { return MemoryJournal() }
        do {
            return try SQLiteJournal(folder: folder, settings: settings)
        } catch {
            throw CommandExit(error.code == .journalUnavailable ? .unavailable : .usage, error.message)
        }
    }

    /// The options as a coordinator's arguments.
    var arguments: [String] {
        if ephemeral { return ["--ephemeral"] }
        var arguments = ["--data", folder]
        if let retention { arguments += ["--retention", "\(retention)"] }
        if let journalLimitMb { arguments += ["--journal-limit-mb", "\(journalLimitMb)"] }
        return arguments
    }
}

/// The folder of a journal that may not be in use.
struct JournalFolderOption: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Folder of the journal; default $APUS_DATA, then ~/.local/share/apus/journal.",
            valueName: "dir"
        )
    )
    var data: String?

    /// The folder.
    var folder: String { Self.folder(data) }

    /// The folder that is meant where so much is said.
    static func folder(_ data: String?) -> String { data ?? Environment.data ?? Environment.journalFolder }
}
