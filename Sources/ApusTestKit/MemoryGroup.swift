import Foundation

/// A control group of the kernel with a memory limit that can be moved, below the group that this process is in.
///
/// It needs the right to make one, which root has outside most containers.
public final class MemoryGroup {
    private let folder: String
    private let isVersion2: Bool

    /// Makes a group; `nil` where that isn't permitted here.
    ///
    /// - Parameter name: Its name; that of no other group beside it.
    public init?(_ name: String) {
        guard let (folder, isVersion2) = Self.own() else { return nil }
        self.folder = folder + "/" + name
        self.isVersion2 = isVersion2
        guard mkdir(self.folder, 0o755) == 0 else { return nil }
        // A group of version 2 has limits only where the one above lends it the controller.
        guard FileManager.default.fileExists(atPath: self.folder + "/" + limitFile) else {
            rmdir(self.folder)
            return nil
        }
    }

    deinit { rmdir(folder) }

    /// Where a process writes its number to join.
    public var membersFile: String { folder + "/cgroup.procs" }

    /// Bytes that count as used: without cached files that nobody has touched lately.
    public var usedBytes: UInt64 {
        let used = number(isVersion2 ? "memory.current" : "memory.usage_in_bytes") ?? 0
        let key = isVersion2 ? "inactive_file" : "total_inactive_file"
        let line = text("memory.stat")?.split(separator: "\n").first { $0.hasPrefix(key + " ") }
        let cached = line.flatMap { UInt64($0.dropFirst(key.count + 1)) } ?? 0
        return used - min(cached, used)
    }

    /// Moves the limit; the kernel first takes back what it can.
    ///
    /// - Throws: Where so much is in use that it can't be taken back.
    public func limit(bytes: UInt64) throws {
        try "\(bytes)\n".write(toFile: folder + "/" + limitFile, atomically: false, encoding: .utf8)
    }

    private var limitFile: String { isVersion2 ? "memory.max" : "memory.limit_in_bytes" }

    private func text(_ name: String) -> String? { try? String(contentsOfFile: folder + "/" + name, encoding: .utf8) }

    private func number(_ name: String) -> UInt64? {
        text(name).flatMap { UInt64($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
    }

    /// The folder of the group that this process is in, and which version of the interface has it.
    private static func own() -> (folder: String, isVersion2: Bool)? {
        guard let text = try? String(contentsOfFile: "/proc/self/cgroup", encoding: .utf8) else { return nil }
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            if fields[1].split(separator: ",").contains("memory") {
                return ("/sys/fs/cgroup/memory" + fields[2], false)
            }
        }
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("0::") }) else { return nil }
        return ("/sys/fs/cgroup" + line.dropFirst(3), true)
    }
}
