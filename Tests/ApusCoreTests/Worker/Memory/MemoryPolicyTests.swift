import ApusCore
import ApusModel
import Testing

@Suite("Memory policy")
struct MemoryPolicyTests {
    private static func second(_ seconds: Double) -> Timestamp { Timestamp(nanoseconds: Int64(seconds * 1e9)) }

    /// Feeds readings of used bytes out of 1,000, one a second, and gives what came of each.
    private static func feed(_ policy: inout MemoryPolicy, _ used: [UInt64], from start: Double = 0) -> [[MemoryEffect]]
    {
        used.enumerated().map { place, bytes in
            policy.measured(usedBytes: bytes, limitBytes: 1_000, stall: nil, at: second(start + Double(place)))
        }
    }

    @Test("Levels rise at once, each with its effects")
    func rising() {
        var policy = MemoryPolicy()
        let effects = Self.feed(&policy, [100, 810, 820, 885, 960])
        #expect(
            effects == [
                [], [.report(.warning)], [], [.report(.pressure), .halveBatch],
                [.report(.critical), .halveBatch, .dropPrefixCache, .refuseWork],
            ]
        )
        #expect(policy.isRefusing)
    }

    @Test("From nothing to critical everything is given up at once")
    func jump() {
        var policy = MemoryPolicy()
        let effects = Self.feed(&policy, [990])
        #expect(effects == [[.report(.critical), .halveBatch, .dropPrefixCache, .refuseWork]])
    }

    @Test("A level is left one by one, each after five quiet seconds")
    func falling() {
        var policy = MemoryPolicy()
        _ = Self.feed(&policy, [990])
        let effects = Self.feed(&policy, Array(repeating: 100, count: 20), from: 1)
        var expected = [[MemoryEffect]](repeating: [], count: 20)
        expected[5] = [.report(.pressure), .acceptWork]
        expected[10] = [.report(.warning), .easeBatch]
        expected[15] = [.report(.normal)]
        #expect(effects == expected)
    }

    @Test("A reading just below a threshold keeps the level, and one above starts the wait anew")
    func hysteresis() {
        var policy = MemoryPolicy()
        _ = Self.feed(&policy, [810])
        _ = Self.feed(&policy, Array(repeating: 760, count: 60), from: 1)
        #expect(policy.level == .warning)
        _ = Self.feed(&policy, [700, 700, 700, 700, 760, 700, 700, 700, 700, 700], from: 61)
        #expect(policy.level == .warning)
        _ = Self.feed(&policy, [700], from: 71)
        #expect(policy.level == .normal)
    }

    @Test("While pressure lasts the batch is halved every two seconds; while critical the cache is dropped too")
    func repetition() {
        var policy = MemoryPolicy()
        let pressure = Self.feed(&policy, [900, 900, 900, 900, 900])
        #expect(pressure == [[.report(.pressure), .halveBatch], [], [.halveBatch], [], [.halveBatch]])
        let critical = Self.feed(&policy, [960, 960, 960], from: 5)
        #expect(
            critical == [
                [.report(.critical), .halveBatch, .dropPrefixCache, .refuseWork], [], [.halveBatch, .dropPrefixCache],
            ]
        )
    }

    @Test("Stalled time counts as well, with or without a limit", arguments: [nil, 1_000_000] as [UInt64?])
    func stall(limit: UInt64?) {
        var policy = MemoryPolicy()
        var levels: [MemoryLevel] = []
        for (second, share) in [5.0, 11, 26, 51].enumerated() {
            let now = Self.second(Double(second))
            _ = policy.measured(usedBytes: 10, limitBytes: limit, stall: share, at: now)
            levels.append(policy.level)
        }
        #expect(levels == [.normal, .warning, .pressure, .critical])
    }

    @Test("Where nothing is known nothing happens")
    func unknown() {
        var policy = MemoryPolicy()
        let effects = policy.measured(usedBytes: .max, limitBytes: nil, stall: nil, at: .zero)
        #expect(effects.isEmpty)
        #expect(policy.level == .normal)
    }

    @Test("Levels have their names on the wire, and an order")
    func names() {
        #expect(MemoryLevel.allCases.map(\.rawValue) == ["normal", "warning", "pressure", "critical"])
        #expect(MemoryLevel.allCases.sorted() == MemoryLevel.allCases)
    }
}
