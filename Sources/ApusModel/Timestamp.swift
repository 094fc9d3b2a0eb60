/// A moment on a process's own monotonic clock, in nanoseconds; moments of two processes do not compare.
///
/// Decisions take it as an input: the pure core has no clock.
public struct Timestamp: Hashable, Comparable, Sendable {
    /// Nanoseconds since the clock's origin.
    public let nanoseconds: Int64

    /// The clock's origin.
    public static let zero = Timestamp(nanoseconds: 0)

    /// A moment later than every other.
    public static let distantFuture = Timestamp(nanoseconds: .max)

    /// Wraps nanoseconds since the clock's origin.
    @inlinable
    public init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    /// Orders moments by time.
    @inlinable
    public static func < (left: Timestamp, right: Timestamp) -> Bool { left.nanoseconds < right.nanoseconds }

    /// The moment `duration` later; stops at `distantFuture`.
    public static func + (moment: Timestamp, duration: Duration) -> Timestamp {
        let (sum, overflow) = moment.nanoseconds.addingReportingOverflow(duration.nanoseconds)
        return overflow ? .distantFuture : Timestamp(nanoseconds: sum)
    }

    /// The time from `right` to `left`; negative when `left` is earlier.
    @inlinable
    public static func - (left: Timestamp, right: Timestamp) -> Duration {
        .nanoseconds(left.nanoseconds - right.nanoseconds)
    }
}

extension Duration {
    /// The duration in whole nanoseconds, clamped to what 64 bits hold (292 years).
    public var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, carry) = product.addingReportingOverflow(attoseconds / 1_000_000_000)
        return overflow || carry ? (seconds < 0 ? .min : .max) : sum
    }

    /// The duration in milliseconds, with fractions.
    public var milliseconds: Double { Double(nanoseconds) / 1_000_000 }

    /// The duration in seconds, with fractions.
    public var inSeconds: Double { Double(nanoseconds) / 1_000_000_000 }
}
