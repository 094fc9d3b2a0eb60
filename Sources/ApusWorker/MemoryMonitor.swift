import ApusCore
import ApusModel
import Foundation

/// Reads how much memory this process and its machine have left, and says what to give up.
///
/// Three bounds are looked at, and the nearest counts: the operator's own for the process, those of the process's control groups
/// (versions 1 and 2, its own group and those around it), and the machine's memory. Stalls come from the group, else from the
/// machine, where the kernel counts them. A file that isn't there or can't be read is no bound.
struct MemoryMonitor {
    /// What is used of a bound.
    struct Reading: Hashable {
        var usedBytes: UInt64
        var limitBytes: UInt64?
    }

    /// What a measurement says.
    struct Report {
        var residentBytes: UInt64
        var level: MemoryLevel
        var effects: [MemoryEffect]
        /// The bound that is nearest.
        var nearest: Reading
    }

    private var policy = MemoryPolicy()
    private let limitBytes: UInt64?
    private let root: String
    /// The process's groups, its own first: where usage, limit, statistics and stalls stand.
    private let groups: [ControlGroup]

    /// Finds the process's groups.
    ///
    /// - Parameters:
    ///   - limitBytes: The operator's bound for the resident memory; `nil`: none.
    ///   - root: The folder under which `proc` and `sys` are; another one in tests.
    init(limitBytes: UInt64? = nil, root: String = "") {
        self.limitBytes = limitBytes
        self.root = root
        groups = ControlGroup.all(root: root)
    }

    /// Reads everything anew.
    ///
    /// - Parameter now: The moment, not before that of the last measurement.
    /// - Returns: What was read, and what to do.
    mutating func measure(at now: Timestamp) -> Report {
        let page = UInt64(clamping: sysconf(Int32(_SC_PAGESIZE)))
        let statm = Self.text(root + "/proc/self/statm")
        let resident = statm.flatMap { MemoryText.residentBytes(statm: $0, pageBytes: page) } ?? 0
        var readings = groups.compactMap(\.reading)
        if let limitBytes { readings.append(Reading(usedBytes: resident, limitBytes: limitBytes)) }
        if let machine { readings.append(machine) }
        let nearest = readings.max { Self.share($0) < Self.share($1) } ?? Reading(usedBytes: resident)
        let stall =
            groups.lazy.compactMap(\.stall).first
            ?? Self.text(root + "/proc/pressure/memory").flatMap(MemoryText.stall(pressure:))
        let effects = policy.measured(
            usedBytes: nearest.usedBytes,
            limitBytes: nearest.limitBytes,
            stall: stall,
            at: now
        )
        return Report(residentBytes: resident, level: policy.level, effects: effects, nearest: nearest)
    }

    private var machine: Reading? {
        guard let text = Self.text(root + "/proc/meminfo"), let total = MemoryText.totalBytes(meminfo: text),
            let available = MemoryText.availableBytes(meminfo: text)
        else { return nil }
        return Reading(usedBytes: total - min(available, total), limitBytes: total)
    }

    private static func share(_ reading: Reading) -> Double {
        guard let limit = reading.limitBytes, limit > 0 else { return 0 }
        return Double(reading.usedBytes) / Double(limit)
    }

    static func text(_ path: String) -> String? {
        // A system without the file has no answer.
        try? String(contentsOfFile: path, encoding: .utf8)
    }
}

/// One control group that bounds this process's memory.
private struct ControlGroup {
    let folder: String
    let isVersion2: Bool

    /// The groups that a process is in: its own and all around it.
    static func all(root: String) -> [ControlGroup] {
        guard let text = MemoryMonitor.text(root + "/proc/self/cgroup") else { return [] }
        var groups: [ControlGroup] = []
        for line in text.split(separator: "\n") {
            // hierarchy:controllers:path (cgroups(7)); version 2 names no controllers.
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            let isVersion2 = fields[0] == "0" && fields[1].isEmpty
            guard isVersion2 || fields[1].split(separator: ",").contains("memory") else { continue }
            let mounts = isVersion2 ? ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"] : ["/sys/fs/cgroup/memory"]
            var path = fields[2].split(separator: "/").map(String.init)
            while true {
                for mount in mounts {
                    let folder = root + mount + path.map { "/" + $0 }.joined()
                    let group = ControlGroup(folder: folder, isVersion2: isVersion2)
                    if group.reading != nil { groups.append(group) }
                }
                guard path.popLast() != nil else { break }
            }
        }
        return groups
    }

    /// What is used of the group's limit; `nil` where it has none.
    var reading: MemoryMonitor.Reading? {
        let (used, limit) =
            isVersion2 ? ("memory.current", "memory.max") : ("memory.usage_in_bytes", "memory.limit_in_bytes")
        guard let limit = text(limit).flatMap(MemoryText.limitBytes), let used = text(used).flatMap(MemoryText.bytes)
        else { return nil }
        // Cached files count as used, and go first when memory is wanted.
        let key = isVersion2 ? "inactive_file" : "total_inactive_file"
        let files = text("memory.stat").flatMap { MemoryText.value(of: key, inStat: $0) } ?? 0
        return MemoryMonitor.Reading(usedBytes: used - min(files, used), limitBytes: limit)
    }

    /// Per cents of time in which somebody in the group waited for memory; `nil` where the kernel does not count it.
    var stall: Double? { text("memory.pressure").flatMap(MemoryText.stall(pressure:)) }

    private func text(_ name: String) -> String? { MemoryMonitor.text(folder + "/" + name) }
}
