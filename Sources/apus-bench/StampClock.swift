import ApusModel
import ZeroMQ

/// The clock that stamps tokens: microseconds of the system's monotonic clock, as many as fit into a token's number.
enum StampClock {
    /// The present time; starts again at 0 every 36 minutes.
    static var microseconds: Int32 {
        Int32(truncatingIfNeeded: (PollExecutor.monotonicNow().nanoseconds / 1_000) & 0x7FFF_FFFF)
    }

    /// Microseconds from a stamp to a later time.
    static func elapsed(since stamp: Int32, at now: Int32) -> Int32 { (now &- stamp) & 0x7FFF_FFFF }
}
