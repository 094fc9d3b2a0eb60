import Foundation

/// What a process says of itself when it registers and while it runs.
enum ProcessFacts {
    /// The process's number.
    static var pid: UInt32 { UInt32(clamping: ProcessInfo.processInfo.processIdentifier) }

    /// The machine's name, from the kernel: asking the resolver could block for seconds.
    static var host: String {
        guard let name = contents(of: "/proc/sys/kernel/hostname") else { return "unknown" }
        return name.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private static func contents(of path: String) -> String? {
        // A system without /proc simply has no answer.
        try? String(contentsOfFile: path, encoding: .utf8)
    }
}
