import Foundation

/// What another process of this machine uses, as Linux tells it.
struct ProcessView {
    /// The process's number.
    let processID: pid_t

    /// Its resident memory in bytes; 0 where it is gone.
    var residentBytes: Int {
        let fields = read("statm").split(separator: " ")
        guard fields.count > 1, let pages = Int(fields[1]) else { return 0 }
        return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
    }

    /// Processor time that it has used so far, in seconds; to a hundredth.
    var processorSeconds: Double {
        // The name in brackets may hold spaces; user and system time are the 12th and 13th field behind it.
        let fields = read("stat").split(separator: ")").last?.split(separator: " ") ?? []
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return 0 }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    private func read(_ file: String) -> String {
        (try? String(contentsOfFile: "/proc/\(processID)/\(file)", encoding: .utf8)) ?? ""
    }
}
