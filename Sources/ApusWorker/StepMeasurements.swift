import ApusEngine
import ApusModel
import ApusProtocol
import ApusTelemetry

/// The distributions of a worker's times since they last travelled.
struct StepMeasurements {
    private var intervals = BriefTimes()
    private var steps = BriefTimes()
    private var prefills = LatencyHistogram()

    /// Whether there is nothing to send.
    var isEmpty: Bool { steps.isEmpty }

    /// Takes what a step measured.
    mutating func record(_ result: StepResult) {
        // A result without either brings ends only, or prompts of which more is to run.
        guard result.batchSize > 0 || !result.prefillTimes.isEmpty else { return }
        steps.record(result.stepTime, count: 1)
        for interval in result.intervals { intervals.record(interval.duration, count: interval.count) }
        for time in result.prefillTimes { prefills.record(time) }
    }

    /// Moves everything into a message.
    mutating func drain(into step: inout Apus_V1_Step) {
        if !intervals.isEmpty { step.interTokenUs = Apus_V1_Histogram(intervals.drain()) }
        if !steps.isEmpty { step.stepUs = Apus_V1_Histogram(steps.drain()) }
        if prefills.count > 0 { step.prefillUs = Apus_V1_Histogram(prefills.drain()) }
    }
}

/// A distribution whose shortest times are only counted and reach the histogram when it is drained: steps that take a few
/// microseconds come too often for more.
private struct BriefTimes {
    /// Times of fewer microseconds are counted one by one.
    private static let brief = 64

    private var histogram = LatencyHistogram()
    private var counts = [Int](repeating: 0, count: brief)

    /// Whether nothing was recorded.
    private(set) var isEmpty = true

    /// Takes a time, several times where several streams had the same.
    mutating func record(_ time: Duration, count: Int) {
        guard count > 0 else { return }
        isEmpty = false
        let microseconds = Int(time.nanoseconds / 1_000)
        if 0..<Self.brief ~= microseconds {
            counts[microseconds] += count
        } else {
            histogram.record(time, count: count)
        }
    }

    /// Takes the values out; afterwards there are none.
    mutating func drain() -> LatencyHistogram.Columns {
        for (microseconds, count) in counts.enumerated() where count > 0 {
            histogram.record(.microseconds(microseconds), count: count)
            counts[microseconds] = 0
        }
        isEmpty = true
        return histogram.drain()
    }
}

extension Apus_V1_Histogram {
    /// The wire form of a distribution.
    init(_ columns: LatencyHistogram.Columns) {
        self.init()
        values = columns.values
        counts = columns.counts
    }
}
