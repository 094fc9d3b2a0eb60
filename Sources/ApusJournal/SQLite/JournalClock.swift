public import ApusModel

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Translates between the process's monotonic clock, on which the coordinator's moments are, and the wall clock, on which they are
/// kept: a monotonic clock does not outlive the machine's next start.
public struct JournalClock: Sendable {
    /// The wall clock's lead over the monotonic one when the journal was opened.
    private let lead: Int64
    private let monotonic: @Sendable () -> Timestamp

    /// Compares two clocks once; the wall clock's later jumps are not followed.
    ///
    /// - Parameters:
    ///   - wall: Nanoseconds since 1970.
    ///   - monotonic: The clock that the coordinator's moments are on.
    public init(wall: @Sendable () -> Int64, monotonic: @escaping @Sendable () -> Timestamp) {
        lead = wall().subtractingClamped(monotonic().nanoseconds)
        self.monotonic = monotonic
    }

    /// The system's clocks.
    public static var system: JournalClock {
        JournalClock(wall: { read(CLOCK_REALTIME) }, monotonic: { Timestamp(nanoseconds: read(CLOCK_MONOTONIC)) })
    }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// A moment as it is kept: nanoseconds since 1970.
    func kept(_ moment: Timestamp) -> Int64 { moment.nanoseconds.addingClamped(lead) }

    /// A moment that was kept, never later than now, wherever the wall clock was then.
    func moment(_ kept: Int64) -> Timestamp {
        min(Timestamp(nanoseconds: kept.subtractingClamped(lead)), monotonic())
    }
}

extension Int64 {
    fileprivate func addingClamped(_ other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? (other < 0 ? .min : .max) : sum
    }

    fileprivate func subtractingClamped(_ other: Int64) -> Int64 {
        let (difference, overflow) = subtractingReportingOverflow(other)
        return overflow ? (other < 0 ? .max : .min) : difference
    }
}
