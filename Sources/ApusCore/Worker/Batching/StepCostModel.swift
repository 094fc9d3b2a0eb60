import ApusModel

/// What a step costs: `a + b * rows + c * context + d * prefill`, learned while it runs.
///
/// Least squares with exponential forgetting, over about the last fifty steps, and with all four coefficients at 0 or
/// above. The solution is drawn towards the one before it, so that what recent steps say nothing about (the slope,
/// while the batch stays the same) stays as it was learned.
///
/// A single step that took much more or much less than expected is left out: the process was descheduled. Where it
/// isn't alone, it counts, but as no more than twice and no less than half of what was expected. And where most of the
/// last few steps are off by the same factor, the machine itself has changed its pace: then all coefficients are
/// multiplied by that factor at once, instead of being learned again.
package struct StepCostModel: Sendable {
    /// The part of the old sums that remains at each step.
    private static let memory = 0.98
    /// How strongly a solution is drawn towards the one before it.
    private static let inertia = 0.01
    /// Steps that are looked at for a change of pace, how many it takes, and the factor from which on it is one; a step
    /// off by that factor is odd.
    private static let paceWindow = 5
    private static let fewestPaces = 3
    private static let paceFactor = 1.4
    /// Rows beyond which a step doesn't count as larger.
    private static let mostRows = 1 << 20
    /// A step's time counts as at least and at most this, in milliseconds.
    private static let latencies = 0.001...60_000.0

    /// Steps that were learned from.
    package private(set) var observations = 0

    /// The largest number of rows of any step.
    package private(set) var largestRows = 0

    /// By how much steps deviate from what is expected: the mean of the absolute relative error.
    package private(set) var deviation = 0.1

    // Milliseconds by unit of each feature: step, row, 1,024 tokens of context, 128 tokens of prefill.
    private var coefficients = SIMD4<Double>(repeating: 0)
    private var sums: [SIMD4<Double>] = Array(repeating: SIMD4(repeating: 0), count: 4)
    private var products = SIMD4<Double>(repeating: 0)
    /// Measured by expected time of the last steps.
    private var paces: [Double] = []
    private var wasOdd = false
    /// What the last steps were like.
    private var usual = SIMD4<Double>(repeating: 0)
    // Scratch of `solve`.
    private var rowsOfSystem: [SIMD4<Double>] = Array(repeating: SIMD4(repeating: 0), count: 4)

    /// A model that knows nothing.
    package init() {
        paces.reserveCapacity(Self.paceWindow)
    }

    /// The expected time of a step in milliseconds; `nil` before the first was measured.
    package func milliseconds(rows: Int, contextTokens: Int, prefillTokens: Int = 0) -> Double? {
        guard observations > 0 else { return nil }
        return (coefficients * Self.features(rows, contextTokens, prefillTokens)).sum()
    }

    /// What some tokens of prefill add to a step, in milliseconds; 0 where none was measured.
    package func prefillMilliseconds(_ tokens: Double) -> Double { coefficients[3] * tokens / 128 }

    /// The largest number of rows whose step is expected to take no longer than a time.
    ///
    /// At least as many as if a step like the last ones cost no more than its rows in proportion: what the model believes of
    /// larger steps may be wrong, and a batch that stays small for that would never teach it better.
    ///
    /// - Parameters:
    ///   - milliseconds: The time.
    ///   - contextPerRow: The mean context of a row in tokens.
    ///   - bound: The answer's upper bound.
    /// - Returns: 0 up to `bound`; `bound` where nothing is known.
    package func rows(within milliseconds: Double, contextPerRow: Double, bound: Int) -> Int {
        guard observations > 0 else { return bound }
        let perRow = coefficients[1] + coefficients[2] * contextPerRow / 1_024
        let believed = Self.rows(within: milliseconds - coefficients[0], perRow: perRow, bound: bound)
        let present = coefficients[0] + perRow * usual[1]
        guard usual[1] >= 1, present <= milliseconds else { return believed }
        return max(believed, Self.rows(within: milliseconds, perRow: present / usual[1], bound: bound))
    }

    private static func rows(within room: Double, perRow: Double, bound: Int) -> Int {
        guard room > 0 else { return 0 }
        // Compared before it is converted: a row that costs nothing would give infinity.
        return room >= perRow * Double(bound) ? bound : Int(room / perRow)
    }

    /// Learns from a step.
    ///
    /// - Parameters:
    ///   - rows: Rows of its batched pass.
    ///   - contextTokens: The sum of the rows' contexts.
    ///   - prefillTokens: Tokens of chunks that ran in it, as far as `latency` holds their time.
    ///   - latency: Its time.
    package mutating func stepMeasured(rows: Int, contextTokens: Int, prefillTokens: Int, latency: Duration) {
        guard rows > 0 || prefillTokens > 0 else { return }
        let features = Self.features(rows, contextTokens, prefillTokens)
        var time = min(max(latency.milliseconds, Self.latencies.lowerBound), Self.latencies.upperBound)
        largestRows = max(largestRows, min(rows, Self.mostRows))
        if observations == 0 {
            guess(time, features)
            usual = features
        } else {
            if prefillTokens > 0, sums[3][3] < 1e-6 {
                // Nothing is known of prefill: what this step took more than others is its price.
                coefficients[3] = max(0, time - (coefficients * features).sum()) / features[3]
            }
            let expected = paced((coefficients * features).sum(), of: features, measured: time)
            let isOdd = time > expected * Self.paceFactor || time < expected / Self.paceFactor
            defer { wasOdd = isOdd }
            guard !isOdd || wasOdd else { return }
            time = min(max(time, expected / 2), expected * 2)
            deviation += (abs(time / expected - 1) - deviation) / 20
            usual += (features - usual) * 0.2
        }
        observations += 1
        for place in 0..<4 { sums[place] = sums[place] * Self.memory + features * features[place] }
        products = products * Self.memory + features * time
        solve()
    }

    /// Splits the first step's time evenly between what may have caused it.
    private mutating func guess(_ time: Double, _ features: SIMD4<Double>) {
        var causes = features
        causes[2] = 0
        let count = Double((0..<4).filter { causes[$0] > 0 }.count)
        for place in 0..<4 where causes[place] > 0 { coefficients[place] = time / count / causes[place] }
    }

    /// Notes how the measured time compares with the expected one, and follows a change of pace.
    ///
    /// Only steps like the last ones are compared: where the rows or the context change, the model may be wrong and the
    /// pace the same.
    ///
    /// - Returns: The expected time at the present pace, above 0.
    private mutating func paced(_ expected: Double, of features: SIMD4<Double>, measured: Double) -> Double {
        let expected = max(expected, Self.latencies.lowerBound)
        let isUsual = (0..<4).allSatisfy { abs(features[$0] - usual[$0]) <= 0.5 * usual[$0] + 1 }
        guard isUsual else { return expected }
        if paces.count == Self.paceWindow { paces.removeFirst() }
        paces.append(measured / expected)
        guard paces.count >= Self.fewestPaces else { return expected }
        let factor = paces.sorted()[(paces.count - 1) / 2]
        guard factor > Self.paceFactor || factor < 1 / Self.paceFactor else { return expected }
        paces.removeAll(keepingCapacity: true)
        coefficients *= factor
        products *= factor
        return expected * factor
    }

    /// Moves the coefficients to the solution of the normal equations, and none of them below 0.
    private mutating func solve() {
        var rest = products
        for row in 0..<4 {
            rowsOfSystem[row] = sums[row]
            rowsOfSystem[row][row] += sums[row][row] * Self.inertia + 1e-9
            rest[row] -= (sums[row] * coefficients).sum()
        }
        // Gauss without pivoting: the matrix is symmetric and, by its diagonal, positive definite.
        for column in 0..<4 {
            for row in (column + 1)..<max(4, column + 1) {
                let factor = rowsOfSystem[row][column] / rowsOfSystem[column][column]
                rowsOfSystem[row] -= rowsOfSystem[column] * factor
                rest[row] -= rest[column] * factor
            }
        }
        var change = SIMD4<Double>(repeating: 0)
        for row in stride(from: 3, through: 0, by: -1) {
            let known = (rowsOfSystem[row] * change).sum()
            change[row] = (rest[row] - known) / rowsOfSystem[row][row]
        }
        coefficients += change
        guard coefficients.min() < 0 else { return }
        coefficients.clamp(lowerBound: SIMD4(repeating: 0), upperBound: SIMD4(repeating: .greatestFiniteMagnitude))
        // What a negative coefficient took away, the others give up.
        for place in 0..<4 where sums[place][place] > 1e-6 && coefficients[place] > 0 {
            let residual = products[place] - (sums[place] * coefficients).sum()
            coefficients[place] = max(0, coefficients[place] + residual / sums[place][place])
        }
    }

    private static func features(_ rows: Int, _ contextTokens: Int, _ prefillTokens: Int) -> SIMD4<Double> {
        func bounded(_ count: Int, _ unit: Double) -> Double { Double(min(max(0, count), 1 << 32)) / unit }
        return SIMD4(1, bounded(rows, 1), bounded(contextTokens, 1_024), bounded(prefillTokens, 128))
    }
}
