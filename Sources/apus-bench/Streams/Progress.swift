import Foundation

/// Tells whoever waits how far a benchmark is; the standard output is for the figures.
enum Progress {
    /// Writes a line to the standard error.
    static func say(_ text: String) {
        FileHandle.standardError.write(Data("\(text)\n".utf8))
    }
}
