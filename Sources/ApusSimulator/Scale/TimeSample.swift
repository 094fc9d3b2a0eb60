/// Measured times, each of which may stand for several decisions.
struct TimeSample {
    private var times: [(nanoseconds: Double, weight: Int)] = []

    /// What was measured, all together.
    private(set) var total = Duration.zero

    /// How many decisions it stands for.
    private(set) var count = 0

    /// Adds a time that `weight` decisions took together.
    mutating func add(_ time: Duration, weight: Int = 1) {
        times.append((Self.nanoseconds(time) / Double(weight), weight))
        total += time
        count += weight
    }

    /// The mean time of a decision in nanoseconds.
    var mean: Double { count == 0 ? 0 : Self.nanoseconds(total) / Double(count) }

    /// The time in nanoseconds that 99 of 100 decisions don't exceed.
    var p99: Double {
        var left = count * 99 / 100
        for time in times.sorted(by: { $0.nanoseconds < $1.nanoseconds }) {
            left -= time.weight
            if left < 0 { return time.nanoseconds }
        }
        return times.last?.nanoseconds ?? 0
    }

    /// A duration as a number of nanoseconds.
    static func nanoseconds(_ time: Duration) -> Double {
        Double(time.components.seconds) * 1e9 + Double(time.components.attoseconds) / 1e9
    }
}
