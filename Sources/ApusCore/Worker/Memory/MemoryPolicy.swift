package import ApusModel

/// What is done where memory runs short, in this order when several are due at once.
package enum MemoryEffect: Hashable, Sendable {
    /// Tell the operator of the new level.
    case report(MemoryLevel)

    /// Halve the batch.
    case halveBatch

    /// Let the batch grow again.
    case easeBatch

    /// Drop the kept beginnings of prompts.
    case dropPrefixCache

    /// Take no new work.
    case refuseWork

    /// Take new work again.
    case acceptWork
}

/// Decides from a worker's memory what it gives up, and when it comes back.
///
/// The level is the severer one of two readings: the used share of the limit, and the share of time in which something
/// in the process's group stood still for want of memory (the kernel's pressure stall information). It rises at once,
/// by as many levels as need be. It falls by one level once both readings have been clearly below its thresholds for
/// `settling`, so that what was given up comes back step by step. While the level is `pressure` or worse, the batch is
/// halved again each `repetition`; in `critical` the prefix cache is dropped again too, as it may have filled
/// meanwhile.
package struct MemoryPolicy: Sendable {
    /// The policy's constants.
    package struct Settings: Hashable, Sendable {
        /// Used parts of the limit from which on the levels `warning`, `pressure` and `critical` begin.
        package var usage: (warning: Double, pressure: Double, critical: Double) {
            get { (usageSteps[0], usageSteps[1], usageSteps[2]) }
            set { usageSteps = [newValue.warning, newValue.pressure, newValue.critical] }
        }

        /// Per cents of stalled time from which on the levels begin.
        package var stall: (warning: Double, pressure: Double, critical: Double) {
            get { (stallSteps[0], stallSteps[1], stallSteps[2]) }
            set { stallSteps = [newValue.warning, newValue.pressure, newValue.critical] }
        }

        /// How far below a threshold a reading has to be for its level to be left: parts of the limit.
        package var usageSlack = 0.05

        /// The same for stalled time, in per cents.
        package var stallSlack = 5.0

        /// How long the readings have to be that low.
        package var settling: Duration = .seconds(5)

        /// The time between two cuts of the batch.
        package var repetition: Duration = .seconds(2)

        fileprivate var usageSteps = [0.80, 0.88, 0.95]
        fileprivate var stallSteps = [10.0, 25.0, 50.0]

        /// The constants that suit most machines.
        package init() {}
    }

    /// The level in force.
    package private(set) var level = MemoryLevel.normal

    /// Whether new work is to be refused.
    package var isRefusing: Bool { level == .critical }

    private let settings: Settings
    /// Since when the readings have been low enough to leave the level; `nil` while they are not.
    private var lowSince: Timestamp?
    private var lastCut = Timestamp.zero

    /// A policy at the level `normal`.
    package init(settings: Settings = Settings()) {
        self.settings = settings
    }

    /// Takes a reading.
    ///
    /// - Parameters:
    ///   - usedBytes: What the process, or the group that the limit is for, uses.
    ///   - limitBytes: The smallest limit that is known; `nil` where none is.
    ///   - stall: Per cents of stalled time over the last ten seconds (`some avg10`); `nil` where the kernel doesn't
    ///     tell.
    ///   - now: The moment, not before that of the last reading.
    /// - Returns: What to do now.
    package mutating func measured(
        usedBytes: UInt64,
        limitBytes: UInt64?,
        stall: Double?,
        at now: Timestamp
    ) -> [MemoryEffect] {
        let usage = limitBytes.map { Double(usedBytes) / Double(max(1, $0)) } ?? 0
        let stall = stall ?? 0
        let reached = max(
            Self.level(of: usage, steps: settings.usageSteps),
            Self.level(of: stall, steps: settings.stallSteps)
        )
        if reached > level { return rise(to: reached, at: now) }
        // The level that would be kept: thresholds are lower for those who are above.
        let kept = max(
            Self.level(of: usage + settings.usageSlack, steps: settings.usageSteps),
            Self.level(of: stall + settings.stallSlack, steps: settings.stallSteps)
        )
        if kept < level {
            let since = lowSince ?? now
            lowSince = since
            if now - since >= settings.settling {
                lowSince = now
                return fall(at: now)
            }
        } else {
            lowSince = nil
        }
        return repeatedCut(at: now)
    }

    private mutating func rise(to reached: MemoryLevel, at now: Timestamp) -> [MemoryEffect] {
        level = reached
        lowSince = nil
        var effects = [MemoryEffect.report(reached)]
        if reached >= .pressure {
            lastCut = now
            effects.append(.halveBatch)
        }
        if reached == .critical { effects += [.dropPrefixCache, .refuseWork] }
        return effects
    }

    private mutating func fall(at now: Timestamp) -> [MemoryEffect] {
        let left = level
        level = level.milder
        var effects = [MemoryEffect.report(level)]
        if left == .critical {
            effects.append(.acceptWork)
            // The level below cuts too, but not in the moment of relief.
            lastCut = now
        }
        if left == .pressure { effects.append(.easeBatch) }
        return effects
    }

    private mutating func repeatedCut(at now: Timestamp) -> [MemoryEffect] {
        // Readings that are low enough to leave the level only have to last: nothing more is given up.
        guard level >= .pressure, lowSince == nil, now - lastCut >= settings.repetition else { return [] }
        lastCut = now
        return level == .critical ? [.halveBatch, .dropPrefixCache] : [.halveBatch]
    }

    private static func level(of reading: Double, steps: [Double]) -> MemoryLevel {
        if reading >= steps[2] { return .critical }
        if reading >= steps[1] { return .pressure }
        return reading >= steps[0] ? .warning : .normal
    }
}
