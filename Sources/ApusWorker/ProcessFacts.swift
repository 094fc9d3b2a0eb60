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

    /// Resident memory in bytes; 0 where the system does not tell.
    static var memoryBytes: UInt64 {
        // statm: total, resident, shared, … in pages (proc(5)).
        guard let fields = contents(of: "/proc/self/statm")?.split(separator: " "), fields.count > 1,
            let pages = UInt64(fields[1])
        else { return 0 }
        return pages * UInt64(clamping: sysconf(Int32(_SC_PAGESIZE)))
    }

    private static func contents(of path: String) -> String? {
        // A system without /proc simply has no answer.
        try? String(contentsOfFile: path, encoding: .utf8)
    }
}
