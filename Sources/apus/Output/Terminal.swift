import Foundation

/// The process's two outputs: results on one, everything else on the other.
enum Terminal {
    /// Whether colours are wanted on the error output: a terminal, and no `NO_COLOR`.
    static let colours: Bool = isatty(STDERR_FILENO) == 1 && wantsColours

    /// Whether the result output is a terminal.
    static var isInteractive: Bool { isatty(STDOUT_FILENO) == 1 }

    private static var wantsColours: Bool {
        let environment = ProcessInfo.processInfo.environment
        return (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
    }

    /// Writes a result at once.
    ///
    /// - Throws: `CommandExit`: `interrupted` where the reader is gone, `failed` where the output can't be written.
    static func write(_ bytes: some Collection<UInt8>) throws {
        try put(Array(bytes), on: STDOUT_FILENO)
    }

    /// Writes a result at once.
    ///
    /// - Throws: As `write(_:)` of bytes.
    static func write(_ text: String) throws {
        try write(text.utf8)
    }

    /// Writes what a model said.
    ///
    /// A model may say anything; what would command the terminal is left out there. Files and pipes get every byte.
    ///
    /// - Throws: As `write(_:)` of bytes.
    static func writeModelText(_ bytes: some Collection<UInt8>) throws {
        try isInteractive ? write(harmless(String(decoding: bytes, as: UTF8.self))) : write(bytes)
    }

    /// A text without control characters other than line feeds and tabs.
    static func harmless(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.filter { $0 == "\n" || $0 == "\t" || $0.properties.generalCategory != .control }
            )
        )
    }

    /// Writes a line to the error output; a lost reader there is nobody's loss.
    static func printError(_ text: String) {
        // Nothing is left to tell anybody if even this fails.
        try? put(Array((text + "\n").utf8), on: STDERR_FILENO)
    }

    /// Says on the error output what went wrong.
    static func complain(_ message: String) {
        printError(complaint(message))
    }

    /// The line that says what went wrong.
    static func complaint(_ message: String) -> String {
        colours ? "\u{1b}[31merror:\u{1b}[0m \(message)" : "error: \(message)"
    }

    /// Warns on the error output.
    static func warn(_ message: String) {
        printError(colours ? "\u{1b}[33mwarning:\u{1b}[0m \(message)" : "warning: \(message)")
    }

    /// A text that takes no attention, where colours are wanted.
    static func dim(_ text: String) -> String {
        colours ? "\u{1b}[2m\(text)\u{1b}[0m" : text
    }

    private static func put(_ bytes: [UInt8], on descriptor: Int32) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            // Invariant: the buffer outlives the call, which only reads it.
            let count = rest.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else if errno != EINTR {
                // A reader that closed its end has enough; anything else lost the result.
                if errno == EPIPE { throw CommandExit(.interrupted) }
                throw CommandExit(.failed, "the output can't be written: \(String(cString: strerror(errno)))")
            }
        }
    }
}
