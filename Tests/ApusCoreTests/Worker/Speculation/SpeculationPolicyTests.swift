import ApusCore
import ApusModel
import Testing

@Suite("Speculation policy")
struct SpeculationPolicyTests {
    /// Milliseconds of a pass by its width, as measured on the real model.
    private static let measured: [(width: Int, time: Double)] = [
        (1, 5.5), (2, 10.5), (4, 12.8), (7, 22.7), (9, 23.8), (17, 33), (31, 58),
    ]

    private static func cost(_ width: Int) -> Double {
        let upper = measured.firstIndex { $0.width >= width } ?? measured.count - 1
        guard upper > 0 else { return measured[0].time }
        let (left, right) = (measured[upper - 1], measured[upper])
        return left.time + (right.time - left.time) * Double(width - left.width) / Double(right.width - left.width)
    }

    /// A stream whose every token is known beforehand, run with and without drafts.
    private struct Outcome {
        var tokens = 0
        var time = 0.0
        var plainTime = 0.0
        var widths: [Int: Int] = [:]
        var speedUp: Double { plainTime / time }
    }

    private static func run(
        prompt: [Int],
        output: [Int],
        policy: inout SpeculationPolicy,
        factor: Double = 1,
        costs: (Int) -> Double = cost
    ) -> Outcome {
        func tokens(_ values: [Int]) -> [TokenID] { values.map { TokenID(rawValue: Int32($0)) } }
        let truth = tokens(output)
        var drafter = NgramDrafter(tokens(prompt))
        var record = SpeculationPolicy.StreamRecord()
        var outcome = Outcome()
        var draft: [TokenID] = []
        var next = 0
        while next < truth.count {
            let match = drafter.match()
            let count = match.map {
                policy.draftTokens(record: record, matchLength: $0.length, available: truth.count - next - 1)
            }
            draft.removeAll()
            if let match, let count { drafter.propose(count, after: match, into: &draft) }
            var accepted = 0
            while accepted < draft.count, draft[accepted] == truth[next + accepted] { accepted += 1 }
            let width = draft.count + 1
            let time = costs(width) * factor
            policy.passMeasured(width: width, latency: .nanoseconds(Int64(time * 1e6)))
            if let match, !draft.isEmpty {
                policy.draftVerified(
                    drafted: draft.count,
                    accepted: accepted,
                    matchLength: match.length,
                    record: &record
                )
            } else {
                policy.plainTokenDrawn(record: &record)
            }
            for token in truth[next...(next + accepted)] { drafter.append(token) }
            next += accepted + 1
            outcome.time += time
            outcome.plainTime += costs(1) * factor * Double(accepted + 1)
            outcome.widths[width, default: 0] += 1
        }
        outcome.tokens = truth.count
        return outcome
    }

    /// Text that copies long parts of the prompt, with a few words of its own between them.
    private static func copying(prompt: [Int], random: inout SplitMix, length: Int) -> [Int] {
        var output: [Int] = []
        while output.count < length {
            let start = random.below(prompt.count - 120)
            output += prompt[start..<(start + 60 + random.below(60))]
            output += (0..<2).map { _ in random.below(30_000) }
        }
        return output
    }

    @Test("Copy-heavy text runs more than twice as fast", arguments: 1...5)
    func copyHeavy(seed: Int) {
        var random = SplitMix(seed: UInt64(seed))
        let prompt = (0..<800).map { _ in random.below(30_000) }
        var policy = SpeculationPolicy()
        let output = Self.copying(prompt: prompt, random: &random, length: 600)
        let first = Self.run(prompt: prompt, output: output, policy: &policy)
        #expect(first.speedUp > 2)
        let second = Self.run(prompt: prompt, output: output, policy: &policy)
        #expect(second.speedUp >= first.speedUp - 0.05)
        print("copy-heavy, seed \(seed): \(first.speedUp), \(second.speedUp)")
    }

    @Test("Random text loses less than 3 %", arguments: [2, 5, 20, 200, 20_000])
    func random(vocabulary: Int) {
        var random = SplitMix(seed: 11)
        var policy = SpeculationPolicy()
        for length in [64, 256, 1_000] {
            let prompt = (0..<300).map { _ in random.below(vocabulary) }
            let output = (0..<length).map { _ in random.below(vocabulary) }
            let outcome = Self.run(prompt: prompt, output: output, policy: &policy)
            print("vocabulary \(vocabulary), \(length) tokens: \(outcome.speedUp)")
            #expect(outcome.speedUp > 0.97)
        }
    }

    @Test("Text whose repetitions always go on differently loses less than 3 %")
    func misleading() {
        var policy = SpeculationPolicy()
        // Six tokens that always stand together, each time followed by another one.
        let output = (0..<150).flatMap { [1, 2, 3, 4, 5, 6, 1_000 + $0] }
        let outcome = Self.run(prompt: [9], output: output, policy: &policy)
        print("misleading: \(outcome.speedUp)")
        // The six themselves are worth drafting; what is lost is lost behind them.
        #expect(outcome.speedUp > 0.97)
        let prompt = (0..<150).flatMap { [7, 8, 9, 10, 2_000 + $0, 3_000 + $0] }
        let other = Self.run(prompt: prompt, output: (0..<300).flatMap { [7, 8, 9, 10, 5_000 + $0] }, policy: &policy)
        #expect(other.speedUp > 0.97)
    }

    @Test("A machine on which wide passes cost as much as their tokens gets no drafts after a while")
    func noSpareCompute() {
        var random = SplitMix(seed: 3)
        let prompt = (0..<800).map { _ in random.below(30_000) }
        let output = Self.copying(prompt: prompt, random: &random, length: 3_000)
        var policy = SpeculationPolicy()
        let outcome = Self.run(prompt: prompt, output: output, policy: &policy, costs: { 5.5 * Double($0) })
        #expect(outcome.speedUp > 0.95)
        let later = Self.run(prompt: prompt, output: output, policy: &policy, costs: { 5.5 * Double($0) })
        #expect(later.speedUp > 0.97)
        print("no spare compute: \(outcome.speedUp), \(later.speedUp)")
    }

    @Test("A slower machine drafts as much")
    func slowerMachine() {
        var random = SplitMix(seed: 4)
        let prompt = (0..<800).map { _ in random.below(30_000) }
        let output = Self.copying(prompt: prompt, random: &random, length: 600)
        var policy = SpeculationPolicy()
        _ = Self.run(prompt: prompt, output: output, policy: &policy)
        #expect(Self.run(prompt: prompt, output: output, policy: &policy, factor: 5).speedUp > 2)
    }

    @Test("Widths are allowed ones, and never multiples of 8")
    func widths() {
        #expect(SpeculationPolicy(widths: [1, 16, 8, 9, 4, 24, 0]).allowedWidths == [4, 9])
        var random = SplitMix(seed: 5)
        let prompt = (0..<800).map { _ in random.below(30_000) }
        var policy = SpeculationPolicy()
        let output = Self.copying(prompt: prompt, random: &random, length: 600)
        let outcome = Self.run(prompt: prompt, output: output, policy: &policy)
        #expect(Set(outcome.widths.keys).isSubset(of: Set(policy.allowedWidths + [1])))
        #expect(outcome.widths.keys.contains { $0 > 9 })
    }

    @Test("No draft is longer than what may be drawn, and none is made beside many streams")
    func bounds() {
        var policy = SpeculationPolicy()
        var record = SpeculationPolicy.StreamRecord()
        for _ in 0..<20 { policy.draftVerified(drafted: 8, accepted: 8, matchLength: 20, record: &record) }
        let free = policy.draftTokens(record: record, matchLength: 20, available: 100)
        #expect(free > 8)
        for available in 0..<31 {
            #expect(policy.draftTokens(record: record, matchLength: 20, available: available) <= available)
        }
        #expect(policy.draftTokens(record: record, matchLength: 20, available: 100, otherRows: 4) == 0)
        #expect(policy.draftTokens(record: record, matchLength: 1, available: 100) == 0)
        #expect(record.draftedTokens == 160)
        #expect(record.acceptedTokens == 160)
    }

    @Test("Beside another stream a draft is made only where the whole step gains")
    func besideOthers() {
        var policy = SpeculationPolicy()
        var sure = SpeculationPolicy.StreamRecord()
        for _ in 0..<20 { policy.draftVerified(drafted: 8, accepted: 8, matchLength: 20, record: &sure) }
        #expect(policy.draftTokens(record: sure, matchLength: 20, available: 100, otherRows: 1) > 0)
        var unsure = SpeculationPolicy.StreamRecord()
        for _ in 0..<20 { policy.draftVerified(drafted: 8, accepted: 2, matchLength: 20, record: &unsure) }
        #expect(policy.draftTokens(record: unsure, matchLength: 20, available: 100, otherRows: 1) == 0)
    }
}
