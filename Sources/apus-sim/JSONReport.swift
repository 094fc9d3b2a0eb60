import ApusModel
import ApusSimulator
import Foundation

/// The result for programs.
struct JSONReport {
    private struct Content: Encodable {
        struct Finding: Encodable {
            let seed: UInt64
            let checker: String
            let message: String
            let moment_s: Double
            let command: String
        }

        let first_seed: UInt64
        let seeds: Int
        let late: Int
        let threads: Int
        let seeds_per_s: Double
        let seeds_per_s_and_thread: Double
        let real_time_s: Double
        let virtual_time_s: Double
        let events: Int
        let tokens: Int
        let digest: String
        let faults: [String: Int]
        let violation_count: Int
        let violations: [Finding]
    }

    let summary: Summary
    let options: String

    /// One JSON object.
    var text: String {
        let seconds = summary.realTime.inSeconds
        let rate = seconds > 0 ? Double(summary.worlds) / seconds : 0
        let content = Content(
            first_seed: summary.firstSeed,
            seeds: summary.worlds,
            late: summary.late,
            threads: summary.threads,
            seeds_per_s: rate,
            seeds_per_s_and_thread: rate / Double(summary.threads),
            real_time_s: seconds,
            virtual_time_s: summary.virtualTime.inSeconds,
            events: summary.events,
            tokens: summary.tokens,
            digest: String(summary.digest, radix: 16),
            faults: Dictionary(uniqueKeysWithValues: zip(Fault.allCases.map(\.rawValue), summary.faults)),
            violation_count: summary.violationCount,
            violations: summary.violations.map { finding in
                Content.Finding(
                    seed: finding.seed,
                    checker: finding.violation.checker,
                    message: finding.violation.message,
                    moment_s: Double(finding.violation.moment.nanoseconds) / 1e9,
                    command: "apus-sim --seed \(finding.seed) --trace\(options)"
                )
            }
        )
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
        guard let data = try? encoder.encode(content) else { preconditionFailure("plain values can be encoded") }
        return String(decoding: data, as: UTF8.self)
    }
}
