import Foundation

/// A folder that stands for a machine's root, with the files that the kernel would show.
///
/// It is removed when the last reference goes.
final class FakeRoot {
    /// The folder's path.
    let path: String

    /// Makes an empty folder.
    init() throws {
        path = NSTemporaryDirectory() + "apus-root-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        // What is left of a folder that can't be removed does not matter to any test.
        try? FileManager.default.removeItem(atPath: path)
    }

    /// Writes a file, and the folders around it.
    func write(_ name: String, _ text: String) throws {
        try write(name, bytes: Array(text.utf8))
    }

    /// Writes a file of bytes that may be no text.
    func write(_ name: String, bytes: [UInt8]) throws {
        let file = URL(fileURLWithPath: path + "/" + name)
        try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: file)
    }

    /// Makes a folder where a file is expected.
    func makeFolder(_ name: String) throws {
        try FileManager.default.createDirectory(atPath: path + "/" + name, withIntermediateDirectories: true)
    }

    /// Removes a file or a folder.
    func remove(_ name: String) throws {
        try FileManager.default.removeItem(atPath: path + "/" + name)
    }

    // MARK: What the kernel shows

    /// Says how many kilobytes of the machine's memory are left.
    func machine(total: Int, available: Int) throws {
        try write("proc/meminfo", "MemTotal: \(total) kB\nMemFree: 1 kB\nMemAvailable: \(available) kB\n")
    }

    /// Says how many pages of the process are in memory.
    func resident(pages: Int) throws {
        try write("proc/self/statm", "\(pages * 3) \(pages) 12 3 0 44 0\n")
    }

    /// Says what a group of version 1 uses of its limit, with its cached files.
    func group1(_ group: String, used: Int, limit: Int, files: Int = 0) throws {
        let folder = "sys/fs/cgroup/memory" + group
        try write(folder + "/memory.usage_in_bytes", "\(used)\n")
        try write(folder + "/memory.limit_in_bytes", "\(limit)\n")
        try write(folder + "/memory.stat", "cache 7\ninactive_file 1\ntotal_cache 7\ntotal_inactive_file \(files)\n")
    }

    /// Says what a group of version 2 uses of its limit, with its cached files; `nil` is no limit.
    func group2(_ group: String, used: Int, limit: Int?, files: Int = 0, mount: String = "") throws {
        let folder = "sys/fs/cgroup" + mount + group
        try write(folder + "/memory.current", "\(used)\n")
        try write(folder + "/memory.max", (limit.map(String.init) ?? "max") + "\n")
        try write(folder + "/memory.stat", "anon 5\nfile 9\ninactive_file \(files)\nactive_file 2\n")
    }

    /// Says for which share of the last ten seconds somebody waited: for the machine, or for a group of version 2.
    func stall(_ share: Double, group: String? = nil) throws {
        let name = group.map { "sys/fs/cgroup" + $0 + "/memory.pressure" } ?? "proc/pressure/memory"
        let text =
            "some avg10=\(share) avg60=0.00 avg300=0.00 total=1\nfull avg10=99.00 avg60=0.00 avg300=0.00 total=1\n"
        try write(name, text)
    }
}
