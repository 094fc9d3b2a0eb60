package import ApusModel

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The process's monotonic clock, for those who measure or wait; decisions get their timestamps from outside.
package enum MonotonicClock {
    /// The present moment.
    package static func now() -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Timestamp(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    /// Blocks the calling thread until a moment has passed; returns at once for one in the past.
    package static func wait(until deadline: Timestamp) {
        while true {
            let rest = deadline.nanoseconds - now().nanoseconds
            guard rest > 0 else { return }
            // A signal may cut the sleep short; the loop then sleeps what is left.
            var time = timespec(tv_sec: Int(rest / 1_000_000_000), tv_nsec: Int(rest % 1_000_000_000))
            nanosleep(&time, nil)
        }
    }
}
