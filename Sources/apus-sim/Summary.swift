import ApusModel
import ApusSimulator

/// What became of many worlds, all together.
struct Summary: Sendable {
    /// A broken promise, and the seed that breaks it again.
    struct Finding: Sendable {
        let seed: UInt64
        let violation: Violation
    }

    /// Findings that are kept; more are only counted.
    private static let keptFindings = 1_000

    var firstSeed: UInt64 = 0
    var worlds = 0

    /// Worlds whose time was over before everything had ended.
    var late = 0
    var threads = 1
    var realTime: Duration = .zero
    var virtualTime: Duration = .zero
    var events = 0
    var tokens = 0
    var faults = [Int](repeating: 0, count: Fault.allCases.count)
    var violationCount = 0
    private(set) var violations: [Finding] = []

    /// A sum over all worlds that does not depend on their order.
    var digest: UInt64 = 0

    init() {}

    /// The summary of one world.
    init(reports report: WorldReport) {
        firstSeed = report.seed
        add(report)
    }

    /// Adds a world.
    mutating func add(_ report: WorldReport) {
        worlds += 1
        if report.isLate { late += 1 }
        virtualTime += report.virtualTime
        events += report.events
        tokens += report.tokens
        digest &+= report.digest
        for place in faults.indices { faults[place] += report.faults[place] }
        violationCount += report.violations.count
        for violation in report.violations where violations.count < Self.keptFindings {
            violations.append(Finding(seed: report.seed, violation: violation))
        }
    }

    /// Adds the worlds of another summary.
    mutating func merge(_ other: Summary) {
        worlds += other.worlds
        late += other.late
        virtualTime += other.virtualTime
        events += other.events
        tokens += other.tokens
        digest &+= other.digest
        for place in faults.indices { faults[place] += other.faults[place] }
        violationCount += other.violationCount
        violations += other.violations.prefix(Self.keptFindings - violations.count)
    }

    /// Puts the findings in the order of their seeds.
    mutating func sort() {
        violations.sort { ($0.seed, $0.violation.checker) < ($1.seed, $1.violation.checker) }
    }
}
