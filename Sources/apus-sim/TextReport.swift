import ApusModel
import ApusSimulator

/// The result for people.
struct TextReport {
    /// Findings that are shown.
    private static let shown = 20

    let summary: Summary
    let options: String

    /// Prints everything.
    func print() {
        if summary.realTime > .zero {
            let seconds = summary.realTime.inSeconds
            let rate = Double(summary.worlds) / seconds
            line(
                "seeds",
                "\(summary.worlds.grouped) from \(summary.firstSeed), \(Int(rate).grouped)/s on \(summary.threads) threads,"
                    + " \(Int(rate / Double(summary.threads)).grouped)/s a thread"
            )
            let ratio = summary.virtualTime.inSeconds / seconds
            line(
                "virtual time",
                "\(Int(summary.virtualTime.inSeconds).grouped) s in \(rounded(seconds)) s, \(Int(ratio).grouped) x real time"
            )
        } else {
            line("seed", "\(summary.firstSeed)")
            line("virtual time", "\(rounded(summary.virtualTime.inSeconds)) s")
        }
        line("events", "\(summary.events.grouped) (\((summary.events / max(1, summary.worlds)).grouped) a world)")
        if summary.late > 0 { line("late", "\(summary.late.grouped) worlds") }
        line("tokens", summary.tokens.grouped)
        line("digest", String(summary.digest, radix: 16))
        printFaults()
        printViolations()
    }

    private func printFaults() {
        let counted = zip(Fault.allCases, summary.faults).filter { $0.1 > 0 }
        line("faults", counted.map(\.1).reduce(0, +).grouped)
        let width = counted.map(\.1.grouped.count).max() ?? 0
        for (fault, count) in counted {
            Swift.print("  \(padded(count.grouped, to: width))  \(fault.rawValue)")
        }
    }

    private func printViolations() {
        line("violations", summary.violationCount.grouped)
        for finding in summary.violations.prefix(Self.shown) {
            let violation = finding.violation
            let moment = rounded(Double(violation.moment.nanoseconds) / 1e9)
            Swift.print("  seed \(finding.seed), \(violation.checker), at \(moment) s: \(violation.message)")
            Swift.print("    apus-sim --seed \(finding.seed) --trace\(options)")
        }
        if summary.violationCount > Self.shown {
            Swift.print("  and \((summary.violationCount - Self.shown).grouped) more")
        }
    }

    private func line(_ name: String, _ value: String) {
        Swift.print(name + String(repeating: " ", count: max(1, 14 - name.count)) + value)
    }

    private func padded(_ text: String, to width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }

    private func rounded(_ value: Double) -> String {
        let thousandths = Int((value * 1_000).rounded())
        let fraction = String(thousandths % 1_000)
        return "\((thousandths / 1_000).grouped).\(String(repeating: "0", count: 3 - fraction.count))\(fraction)"
    }
}
