import ApusCore

/// Expects the time of a step from what the steps before it took.
///
/// The coordinator calls an engine hung only past the time that it expected itself, so a forecast errs on the long side:
/// it follows a rise at once and a fall slowly.
struct StepForecast: Sendable {
    /// Where nothing is measured yet: a slow model on a slow machine.
    private var prefillToken: Duration = .milliseconds(2)
    private var decode: Duration = .milliseconds(50)

    /// No step is expected to take longer: a first guess must not hide a hung engine for minutes.
    private static let longest: Duration = .seconds(10)

    /// Expects the time of a step.
    func time(of plan: StepPlan) -> Duration {
        min(prefillToken * plan.prefillTokens + (plan.rows.isEmpty ? .zero : decode), Self.longest)
    }

    /// Takes the time of a chunk.
    mutating func chunkMeasured(tokens: Int, time: Duration) {
        Self.follow(time / max(1, tokens), in: &prefillToken)
    }

    /// Takes the time of a batched pass.
    mutating func decodeMeasured(_ time: Duration) {
        Self.follow(time, in: &decode)
    }

    private static func follow(_ measured: Duration, in expected: inout Duration) {
        expected = measured > expected ? measured : expected + (measured - expected) / 8
    }
}
