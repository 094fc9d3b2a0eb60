import ApusModel

/// What a step's time goes to.
public enum StepBound: String, CaseIterable, Hashable, Sendable {
    /// Computing takes more than five times as long as sending.
    case compute

    /// Neither is much longer.
    case balanced

    /// Sending takes more than five times as long as computing.
    case transfer
}

/// Tells whether a worker computes or sends most of the time.
///
/// By the requirements' thresholds on the ratio of computing to sending, above 5 and below 0.2, of times that are
/// smoothed over about sixteen steps.
package struct StepBoundClassifier: Sendable {
    private static let smoothing = 1.0 / 16

    private var compute: Double?
    private var transfer = 0.0

    /// A classifier without measurements.
    package init() {}

    /// Takes a step.
    ///
    /// - Parameters:
    ///   - compute: The time of its passes.
    ///   - transfer: The time until its tokens were with the network.
    package mutating func stepMeasured(compute: Duration, transfer: Duration) {
        // Bounded, so that one absurd reading fades.
        let computed = min(max(0, compute.milliseconds), 60_000)
        let transferred = min(max(0, transfer.milliseconds), 60_000)
        guard let before = self.compute else {
            self.compute = computed
            self.transfer = transferred
            return
        }
        self.compute = before + (computed - before) * Self.smoothing
        self.transfer += (transferred - self.transfer) * Self.smoothing
    }

    /// What the steps' time goes to; `nil` before anything was measured.
    package var bound: StepBound? {
        guard let compute, compute + transfer > 0 else { return nil }
        if compute > 5 * transfer { return .compute }
        return 5 * compute < transfer ? .transfer : .balanced
    }
}
