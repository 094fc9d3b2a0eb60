import ApusModel

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The lock on a data folder: one process at a time reads or writes its journal.
///
/// The kernel holds it for the open file and drops it with the process, however that ends; the file itself stays.
final class JournalLock {
    private let descriptor: Int32

    /// Takes the lock.
    ///
    /// - Parameter folder: The data folder, which exists.
    /// - Throws: `nameTaken` where another process holds it; `journalUnavailable` where the file can't be opened.
    init(folder: String) throws(ApusError) {
        let path = folder + "/journal.lock"
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw ApusError(.journalUnavailable, "can't open \(path): \(String(cString: strerror(errno)))")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let holder = Self.holder(descriptor)
            close(descriptor)
            throw ApusError(
                .nameTaken,
                "the journal in \(folder) is in use by process \(holder); stop it, or give another folder with --data"
            )
        }
        let text = Array("\(getpid())\n".utf8)
        // The number is for people; the lock holds without it.
        if ftruncate(descriptor, 0) == 0 { _ = pwrite(descriptor, text, text.count, 0) }
    }

    deinit { close(descriptor) }

    private static func holder(_ descriptor: Int32) -> String {
        var bytes = [UInt8](repeating: 0, count: 20)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        let digits = bytes.prefix(max(0, count)).prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        return digits.isEmpty ? "unknown" : String(decoding: digits, as: UTF8.self)
    }
}
