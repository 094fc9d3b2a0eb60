import Foundation
import Logging

/// Writes log records as compact lines on the error output: time, level, label, message, metadata.
struct LineLogHandler: LogHandler {
    /// Who logs.
    let label: String

    var logLevel: Logger.Level = .info
    var metadata: Logger.Metadata = [:]

    /// A handler without metadata.
    init(label: String) {
        self.label = label
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let fields = metadata.merging(event.metadata ?? [:]) { _, own in own }
        let text = fields.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
        let line = "\(Self.time()) \(Self.name(event.level)) \(label): \(event.message)"
        Terminal.printError(line + (text.isEmpty ? "" : Terminal.dim(text)))
    }

    private static func time() -> String {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        var parts = tm()
        localtime_r(&now.tv_sec, &parts)
        return String(
            format: "%02d:%02d:%02d.%03d",
            parts.tm_hour,
            parts.tm_min,
            parts.tm_sec,
            now.tv_nsec / 1_000_000
        )
    }

    private static func name(_ level: Logger.Level) -> String {
        switch level {
        case .trace: "trace"
        case .debug: "debug"
        case .info, .notice: "info "
        case .warning: colour("warn ", "33")
        case .error, .critical: colour("error", "31")
        }
    }

    private static func colour(_ text: String, _ code: String) -> String {
        Terminal.colours ? "\u{1b}[\(code)m\(text)\u{1b}[0m" : text
    }
}
