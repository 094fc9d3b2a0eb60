import Foundation

/// The environment's variables that stand in for flags.
enum Environment {
    /// `APUS_COORDINATOR`: the endpoint that the command at hand connects to.
    static var coordinator: String? { value("APUS_COORDINATOR") }

    /// `APUS_MODEL`: a model's file, or the name under which it is served.
    static var model: String? { value("APUS_MODEL") }

    /// `APUS_DATA`: the coordinator's folder.
    static var data: String? { value("APUS_DATA") }

    /// The name under which a model is served, from a name or the path of its file.
    ///
    /// One variable stands in for `--model` of servers (a file) and of `submit` (a name), so that a path gives the name that its
    /// file is served under.
    static func servedName(of model: String) -> String {
        guard model.contains("/") || model.hasSuffix(".gguf") else { return model }
        let file = model.split(separator: "/").last.map(String.init) ?? model
        return file.hasSuffix(".gguf") ? String(file.dropLast(".gguf".count)) : file
    }

    /// The folder that Apus keeps models in.
    static var modelsFolder: String {
        (value("HOME") ?? "/root") + "/.local/share/apus/models"
    }

    /// The folder of the journal where none is named.
    static var journalFolder: String {
        (value("XDG_DATA_HOME") ?? (value("HOME") ?? "/root") + "/.local/share") + "/apus/journal"
    }

    private static func value(_ name: String) -> String? {
        guard let text = ProcessInfo.processInfo.environment[name], !text.isEmpty else { return nil }
        return text
    }
}
