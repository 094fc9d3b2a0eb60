import ApusTestKit
import Foundation

/// A small file system in memory that can be filled up; mounting it takes root.
final class SmallDisk {
    /// Where it is mounted.
    let folder: String

    /// Whether this process may mount one.
    static let isPossible: Bool = (try? SmallDisk(megabytes: 1)) != nil

    /// Mounts one.
    init(megabytes: Int) throws {
        folder = NSTemporaryDirectory() + "/apus-small-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let mount = try ServerProcess("/bin/mount", ["-t", "tmpfs", "-o", "size=\(megabytes)m", "none", folder])
        guard mount.waitForExit() == 0 else {
            rmdir(folder)
            throw ServerProcess.Failure(description: mount.errors)
        }
    }

    deinit {
        // Lazily: a process that is being killed may still hold a file.
        if let unmount = try? ServerProcess("/bin/umount", ["--lazy", folder]) { unmount.waitForExit() }
        rmdir(folder)
    }

    private var filler: String { folder + "/filler" }

    /// Takes all the room that is left; again, what has become free since.
    func fill() throws {
        let file = open(filler, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        guard file >= 0 else { throw ServerProcess.Failure(description: "no filler: errno \(errno)") }
        defer { close(file) }
        let block = [UInt8](repeating: 1, count: 4_096)
        while write(file, block, block.count) > 0 {}
    }

    /// Gives the room back.
    func free() throws { try FileManager.default.removeItem(atPath: filler) }
}
