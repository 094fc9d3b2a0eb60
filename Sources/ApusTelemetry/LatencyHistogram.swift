import ApusModel
private import Histogram

/// Latencies between 1 microsecond and 1 hour with three significant digits; merges by adding.
///
/// Values beyond the range count at its nearest end and no count overflows, so that nothing a peer sends can trap or wrap
/// it. About 180 kB each.
public struct LatencyHistogram: Sendable {
    /// What is shown of a distribution.
    public struct Quantiles: Hashable, Sendable {
        /// The number of values.
        public var count: UInt64 = 0

        /// The median.
        public var p50: Duration = .zero

        /// The 95th percentile.
        public var p95: Duration = .zero

        /// The 99th percentile.
        public var p99: Duration = .zero

        /// The largest value.
        public var maximum: Duration = .zero

        /// No values.
        public init() {}
    }

    /// A distribution as it travels: `counts[i]` values of about `values[i]` microseconds.
    public struct Columns: Hashable, Sendable {
        /// Values in microseconds, rising.
        public var values: [UInt64] = []

        /// How many times each value was seen.
        public var counts: [UInt64] = []

        /// No values.
        public init() {}

        /// Takes columns as they come from a peer; of unequal lengths, the shorter counts.
        public init(values: [UInt64], counts: [UInt64]) {
            self.values = values
            self.counts = counts
        }

        /// Whether there is no value.
        public var isEmpty: Bool { values.isEmpty || counts.isEmpty }
    }

    /// One hour.
    private static let highest: UInt64 = 3_600_000_000

    /// A total above this is not added to any more: sums of a few of them stay far from overflow.
    private static let mostValues: UInt64 = 1 << 60

    private var histogram = Histogram<UInt64>(
        lowestDiscernibleValue: 1,
        highestTrackableValue: highest,
        numberOfSignificantValueDigits: .three
    )

    /// Starts empty.
    public init() {}

    /// The number of values.
    public var count: UInt64 { histogram.totalCount }

    /// Takes a latency, several times where several streams had the same.
    public mutating func record(_ latency: Duration, count: Int = 1) {
        guard count > 0 else { return }
        record(microseconds: UInt64(clamping: latency.nanoseconds / 1_000), count: UInt64(count))
    }

    /// Adds another histogram's values.
    public mutating func merge(_ other: LatencyHistogram) {
        guard other.count <= Self.mostValues, count <= Self.mostValues else { return }
        histogram.add(other.histogram)
    }

    /// Adds values as they came from a peer; those beyond the range count at its ends.
    public mutating func add(_ columns: Columns) {
        for (value, count) in zip(columns.values, columns.counts) where count > 0 {
            record(microseconds: value, count: count)
        }
    }

    /// Takes the values out, for a message; afterwards the histogram is empty.
    public mutating func drain() -> Columns {
        var columns = Columns()
        guard count > 0 else { return columns }
        // The library's own iterator also sums values times counts, which may overflow; a walk over the buckets does not.
        var value = histogram.minNonZero
        let last = min(histogram.maxRecorded, Self.highest)
        while value <= last {
            let count = histogram.countForValue(value)
            if count > 0 {
                columns.values.append(min(histogram.highestEquivalentForValue(value), last))
                columns.counts.append(count)
            }
            value = histogram.nextNonEquivalentForValue(value)
        }
        histogram.reset()
        return columns
    }

    /// Forgets every value.
    public mutating func reset() {
        histogram.reset()
    }

    /// A value that the given share of all values do not exceed.
    ///
    /// - Parameter percentile: From 0 to 100.
    /// - Returns: The value to three significant digits; zero where there are no values.
    public func value(atPercentile percentile: Double) -> Duration {
        guard count > 0 else { return .zero }
        return .microseconds(Int64(clamping: histogram.valueAtPercentile(min(max(percentile, 0), 100))))
    }

    /// What is shown of the distribution.
    public var quantiles: Quantiles {
        var quantiles = Quantiles()
        guard count > 0 else { return quantiles }
        quantiles.count = count
        quantiles.p50 = value(atPercentile: 50)
        quantiles.p95 = value(atPercentile: 95)
        quantiles.p99 = value(atPercentile: 99)
        quantiles.maximum = .microseconds(Int64(clamping: histogram.maxRecorded))
        return quantiles
    }

    private mutating func record(microseconds: UInt64, count: UInt64) {
        guard count <= Self.mostValues, self.count <= Self.mostValues else { return }
        histogram.record(min(max(microseconds, 1), Self.highest), count: count)
    }
}
