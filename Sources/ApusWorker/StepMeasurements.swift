import ApusEngine
import ApusModel
import ApusProtocol
import ApusTelemetry

/// The distributions of a worker's times since they last travelled.
struct StepMeasurements {
    private var intervals = LatencyHistogram()
    private var steps = LatencyHistogram()
    private var prefills = LatencyHistogram()

    /// Whether there is nothing to send.
    var isEmpty: Bool { steps.count == 0 }

    /// Takes what a step measured.
    mutating func record(_ result: StepResult) {
        // A result without tokens brings ends only: no pass ran.
        guard !result.tokens.isEmpty || !result.prefillTimes.isEmpty else { return }
        steps.record(result.stepTime)
        for interval in result.intervals { intervals.record(interval.duration, count: interval.count) }
        for time in result.prefillTimes { prefills.record(time) }
    }

    /// Moves everything into a message.
    mutating func drain(into step: inout Apus_V1_Step) {
        if intervals.count > 0 { step.interTokenUs = Apus_V1_Histogram(intervals.drain()) }
        if steps.count > 0 { step.stepUs = Apus_V1_Histogram(steps.drain()) }
        if prefills.count > 0 { step.prefillUs = Apus_V1_Histogram(prefills.drain()) }
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
