import Foundation

/// What an engine's passes cost, in microseconds, as the simulated engine takes it: a step by its rows and by what they have
/// behind them, a prompt by its tokens.
struct CostModel: Sendable {
    /// Steps of one kind, as they were measured.
    struct Sample: Sendable {
        /// Streams in a step.
        var rows: Int
        /// Tokens before the rows, all together.
        var contextTokens: Double
        /// The median time of a step.
        var microseconds: Double
    }

    /// Of a step, whatever its rows.
    var step: Double

    /// Of each row.
    var row: Double

    /// Of each token before a row.
    var contextToken: Double

    /// Of a prompt's token.
    var promptToken: Double

    /// A model of known constants.
    init(step: Double, row: Double, contextToken: Double, promptToken: Double) {
        self.step = step
        self.row = row
        self.contextToken = contextToken
        self.promptToken = promptToken
    }

    /// Fits a model to measured steps: least squares of the relative errors, no constant below 0.
    ///
    /// - Parameters:
    ///   - samples: Steps of at least three kinds.
    ///   - promptToken: The time of a prompt's token.
    init(fitting samples: [Sample], promptToken: Double) {
        var free = [true, true, true]
        var solution = Self.solve(samples, free: free)
        // A constant that would be negative is none, and the others are fitted without it.
        while let least = solution.indices.min(by: { solution[$0] < solution[$1] }), solution[least] < 0 {
            free[least] = false
            solution = Self.solve(samples, free: free)
        }
        self.init(step: solution[0], row: solution[1], contextToken: solution[2], promptToken: promptToken)
    }

    /// The time of a step.
    func microseconds(rows: Int, contextTokens: Double) -> Double {
        step + row * Double(rows) + contextToken * contextTokens
    }

    /// The largest relative error over measured steps.
    func largestError(over samples: [Sample]) -> Double {
        samples.map {
            abs(microseconds(rows: $0.rows, contextTokens: $0.contextTokens) / $0.microseconds - 1)
        }.max() ?? .nan
    }

    /// The arguments of a simulated worker that costs the same.
    var arguments: [String] {
        [
            "--sim-step-us", Self.text(step), "--sim-row-us", Self.text(row), "--sim-context-us",
            Self.text(contextToken),
            "--sim-prefill-us", Self.text(promptToken),
        ]
    }

    private static func text(_ value: Double) -> String { String(format: "%.4f", value) }

    /// Solves the normal equations of the constants that are free, by elimination; the others are 0.
    private static func solve(_ samples: [Sample], free: [Bool]) -> [Double] {
        var matrix = Array(repeating: Array(repeating: 0.0, count: 4), count: 3)
        for sample in samples {
            let terms = [1, Double(sample.rows), sample.contextTokens]
            let weight = 1 / (sample.microseconds * sample.microseconds)
            for row in 0..<3 where free[row] {
                for column in 0..<3 where free[column] { matrix[row][column] += weight * terms[row] * terms[column] }
                matrix[row][3] += weight * terms[row] * sample.microseconds
            }
        }
        for row in 0..<3 where !free[row] { matrix[row][row] = 1 }
        for pivot in 0..<3 {
            let best = (pivot..<3).max { abs(matrix[$0][pivot]) < abs(matrix[$1][pivot]) } ?? pivot
            matrix.swapAt(pivot, best)
            guard matrix[pivot][pivot] != 0 else { continue }
            for row in 0..<3 where row != pivot {
                let factor = matrix[row][pivot] / matrix[pivot][pivot]
                for column in pivot..<4 { matrix[row][column] -= factor * matrix[pivot][column] }
            }
        }
        return (0..<3).map { matrix[$0][$0] == 0 ? 0 : matrix[$0][3] / matrix[$0][$0] }
    }
}
