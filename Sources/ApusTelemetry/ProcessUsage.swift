#if canImport(Glibc)
private import Glibc
#elseif canImport(Musl)
private import Musl
#else
private import Darwin
#endif

/// What a process uses at a moment.
public struct ProcessUsage: Hashable, Sendable {
    /// Resident memory in bytes; 0 where the system does not tell.
    public var residentBytes: UInt64

    /// Processor time in user and system mode since the start of the process.
    public var processorTime: Duration

    /// The number of this process.
    public static var processID: UInt32 { UInt32(clamping: getpid()) }

    /// Reads what this process uses; two system calls.
    public static func current() -> ProcessUsage {
        var usage = rusage()
        // Invariant: the structure outlives the call, which fails for no valid selector.
        #if canImport(Glibc)
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        #else
        getrusage(RUSAGE_SELF, &usage)
        #endif
        let seconds = Int64(usage.ru_utime.tv_sec) + Int64(usage.ru_stime.tv_sec)
        let microseconds = Int64(usage.ru_utime.tv_usec) + Int64(usage.ru_stime.tv_usec)
        return ProcessUsage(
            residentBytes: residentBytes(),
            processorTime: .seconds(seconds) + .microseconds(microseconds)
        )
    }

    /// The second field of `/proc/self/statm`, in pages.
    private static func residentBytes() -> UInt64 {
        #if os(Linux)
        let file = open("/proc/self/statm", O_RDONLY)
        guard file >= 0 else { return 0 }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 128)
        let count = read(file, &bytes, bytes.count)
        guard count > 0 else { return 0 }
        let fields = bytes.prefix(count).split(separator: UInt8(ascii: " "))
        guard fields.count > 1, let pages = UInt64(String(decoding: fields[1], as: UTF8.self)) else { return 0 }
        return pages * UInt64(getpagesize())
        #else
        return 0
        #endif
    }
}
