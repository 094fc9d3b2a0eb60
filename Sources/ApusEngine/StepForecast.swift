import ApusCore
import ApusModel

/// Expects the time of a step from what the steps before it took.
///
/// The coordinator calls an engine hung only past the time that it expected itself, so a forecast errs on the long side:
/// it follows a rise at once and a fall slowly.
struct StepForecast: Sendable {
    // Nanoseconds as plain numbers: a step of microseconds is measured and expected as often as one of seconds.
    /// Where nothing is measured yet: a slow model on a slow machine.
    private var prefillToken: Int64 = 2_000_000
    private var decode: Int64 = 50_000_000

    /// No step is expected to take longer, 10 s: a first guess must not hide a hung engine for minutes.
    private static let longest: Int64 = 10_000_000_000

    /// Expects the time of a step.
    func time(of plan: StepPlan) -> Duration {
        let (prefill, overflow) = prefillToken.multipliedReportingOverflow(by: Int64(plan.prefillTokens))
        guard !overflow, prefill < Self.longest else { return .nanoseconds(Self.longest) }
        return .nanoseconds(min(prefill + (plan.rows.isEmpty ? 0 : decode), Self.longest))
    }

    /// Takes the time of a chunk.
    mutating func chunkMeasured(tokens: Int, time: Duration) {
        Self.follow(time.nanoseconds / Int64(max(1, tokens)), in: &prefillToken)
    }

    /// Takes the time of a batched pass.
    mutating func decodeMeasured(_ time: Duration) {
        Self.follow(time.nanoseconds, in: &decode)
    }

    private static func follow(_ measured: Int64, in expected: inout Int64) {
        let bounded = min(max(measured, 0), longest)
        expected = bounded > expected ? bounded : expected + (bounded - expected) / 8
    }
}
