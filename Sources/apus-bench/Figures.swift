import Foundation

/// Measured figures, printed as a table and written as JSON.
struct Figures {
    private struct Row {
        var name: String
        var value: Double
        var unit: String
        var goal: Goal?
        var isMet: Bool { goal?.isMet(by: value) ?? true }
    }

    /// What went wrong in the run; figures of a run with failures are printed all the same.
    var failures: [String] = []

    private var rows: [Row] = []
    private var lists: [String: [Double]] = [:]

    /// Adds a figure.
    mutating func add(_ name: String, _ value: Double, _ unit: String, goal: Goal? = nil) {
        rows.append(Row(name: name, value: value, unit: unit, goal: goal))
    }

    /// Adds a distribution of milliseconds: its quantiles to the table, its values to the JSON.
    mutating func add(_ name: String, milliseconds: [Double], goals: [Int: Goal] = [:]) {
        lists[name] = milliseconds
        let sorted = milliseconds.sorted()
        for percent in [50, 95, 99, 100] {
            let label = percent == 100 ? "max" : "p\(percent)"
            add("\(name) \(label)", Self.quantile(sorted, Double(percent) / 100), "ms", goal: goals[percent])
        }
    }

    /// The smallest value that at least a share of the values does not exceed.
    static func quantile(_ sorted: [Double], _ share: Double) -> Double {
        guard let last = sorted.last else { return .nan }
        let rank = Int((Double(sorted.count) * share).rounded(.up))
        return rank >= sorted.count ? last : sorted[max(0, rank - 1)]
    }

    /// The value in the middle; the mean of the two in the middle where their number is even, NaN of none.
    static func median(_ values: [Double]) -> Double {
        guard !values.isEmpty else { return .nan }
        let sorted = values.sorted()
        return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
    }

    /// Prints the table; a row that misses its goal says so.
    func printTable() {
        let width = rows.map(\.name.count).max() ?? 0
        for row in rows {
            let name = row.name.padding(toLength: width, withPad: " ", startingAt: 0)
            let value = Self.format(row.value)
            let padded = String(repeating: " ", count: max(0, 14 - value.count)) + value
            let goal = row.goal.map { "   (goal \($0))\(row.isMet ? "" : " MISSED")" } ?? ""
            print("\(name) \(padded) \(row.unit)\(goal)")
        }
    }

    /// Prints a histogram of milliseconds with bars.
    func printHistogram(_ name: String, bounds: [Double]) {
        guard let values = lists[name], !values.isEmpty else { return }
        print("\(name), \(values.count) values in ms")
        var lower = 0.0
        for upper in bounds + [.infinity] {
            let count = values.filter { $0 >= lower && $0 < upper }.count
            let label = upper == .infinity ? ">= \(Self.format(lower))" : "<  \(Self.format(upper))"
            let bar = String(repeating: "#", count: (count * 50 + values.count - 1) / values.count)
            print(
                "  \(label.padding(toLength: 10, withPad: " ", startingAt: 0)) \(String(count).leftPadded(to: 5)) \(bar)"
            )
            lower = upper
        }
    }

    /// Writes everything as one JSON object.
    func write(to path: String?) throws {
        guard let path else { return }
        var object: [String: Any] = [:]
        for row in rows {
            var fields: [String: Any] = ["value": row.value.isFinite ? row.value : -1, "unit": row.unit]
            if let goal = row.goal {
                fields["goal"] = goal.description
                fields["met"] = row.isMet
            }
            object[row.name] = fields
        }
        for (name, values) in lists { object["\(name) values"] = values }
        let data = try JSONSerialization.data(withJSONObject: object, options: [.prettyPrinted, .sortedKeys])
        try data.write(to: URL(fileURLWithPath: path))
    }

    private static func format(_ value: Double) -> String {
        if value >= 1_000 { return String(Int(value.rounded())) }
        return String(format: "%.3g", value)
    }
}

extension String {
    /// The text with spaces before it.
    func leftPadded(to width: Int) -> String { String(repeating: " ", count: max(0, width - count)) + self }
}
