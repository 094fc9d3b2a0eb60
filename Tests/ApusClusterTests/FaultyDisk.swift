import ApusTestKit
import Foundation

/// A folder on a disk that can be made to fail: a library that is preloaded into the coordinator stands between it and the files.
final class FaultyDisk {
    /// How the disk fails.
    enum Fault: String, CaseIterable {
        /// There is no room left; long writes stop in their middle.
        case full
        /// Nothing can be made durable.
        case fsync
        /// Nothing can be changed.
        case readonly
    }

    /// The folder.
    let folder: String

    private let library: String
    private let control: String

    /// Builds the library and makes a folder.
    init() throws {
        let base = NSTemporaryDirectory() + "/apus-disk-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: base + "/data", withIntermediateDirectories: true)
        // The library compares whole paths as the system names them.
        let path = URL(fileURLWithPath: base).resolvingSymlinksInPath().path
        folder = path + "/data"
        control = path + "/fault"
        library = path + "/disk_faults.so"
        let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../Scripts/faults/disk_faults.c").standardized.path
        let compiler = try ServerProcess("/usr/bin/cc", ["-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"])
        guard compiler.waitForExit() == 0 else { throw ServerProcess.Failure(description: compiler.errors) }
    }

    deinit {
        // What can't be removed is left in the system's temporary folder.
        try? FileManager.default.removeItem(at: URL(fileURLWithPath: folder).deletingLastPathComponent())
    }

    /// The environment of the process whose disk this is.
    var environment: [String: String] {
        ["LD_PRELOAD": library, "APUS_FAULT_DIR": folder, "APUS_FAULT_FILE": control]
    }

    /// The disk fails from now on.
    func fail(_ fault: Fault) throws {
        // Atomically: the library reads the whole word or none.
        try Data(fault.rawValue.utf8).write(to: URL(fileURLWithPath: control), options: .atomic)
    }

    /// The disk works again.
    func recover() throws {
        try FileManager.default.removeItem(atPath: control)
    }
}
