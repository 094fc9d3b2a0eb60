import ApusModel
import Testing

@testable import ApusEngine

/// What penalties know of the tokens before, against plain counting.
struct RepetitionTests {
    @Test("The ledger counts as plain counting does, and forgets what counts for nothing")
    func ledger() {
        for seed in 0..<60 {
            var fixture = SamplingFixture(seed: UInt64(seed))
            let (window, countsOutput) = (fixture.pick([0, 1, 2, 7, 64]), fixture.pick([true, false]))
            var ledger = RepetitionLedger(window: window, countsOutput: countsOutput)
            var (all, output): ([TokenID], [TokenID]) = ([], [])
            for token in fixture.history(50) + fixture.history(50) {
                let isOutput = fixture.pick([true, false])
                ledger.accept(token, isOutput: isOutput)
                all.append(token)
                if isOutput, countsOutput { output.append(token) }
                let recent = all.suffix(window)
                #expect(Set(ledger.entries.map(\.token)) == Set(recent + output))
                #expect(Set(ledger.entries.map(\.token)).count == ledger.entries.count)
                for entry in ledger.entries {
                    #expect(entry.recent == recent.count { $0 == entry.token })
                    #expect(entry.generated == output.count { $0 == entry.token })
                }
            }
        }
    }

    @Test("DRY finds the longest repetitions that plain comparison finds")
    func dry() {
        var repetitions = 0
        for seed in 0..<1_200 {
            var fixture = SamplingFixture(seed: UInt64(seed))
            let dry = DryParameters(
                multiplier: 1,
                allowedLength: fixture.pick([0, 1, 2, 3]),
                window: fixture.pick([0, 1, 5, 60]),
                breakers: fixture.pick([[], ["\n"], ["\n", ":"], ["t1"]])
            )
            let history = fixture.history(50) + fixture.history(50)
            let expected = reference.repetitions(in: history, dry)
            #expect(found(dry, in: history) == expected, "seed \(seed)")
            repetitions += expected.count
        }
        #expect(repetitions > 500)
    }

    @Test("A search in an endless repetition stays bounded and still finds the token that goes it on")
    func bounded() {
        let dry = DryParameters(multiplier: 1, allowedLength: 2, breakers: [])
        let history = [TokenID](repeating: TokenID(rawValue: 3), count: 20_000)
        var search = RepetitionSearch(parameters: dry, vocabulary: SamplingFixture.vocabulary(10))
        for token in history { search.accept(token) }
        var list: [UInt64] = []
        search.find(into: &list)
        #expect(list.count <= RepetitionSearch.mostComparisons / RepetitionSearch.longestExcess + 1)
        #expect(found(dry, in: history) == [TokenID(rawValue: 3): 2 + RepetitionSearch.longestExcess])

        // Many places with short repetitions: the latest are looked at, no more than the bound.
        let mixed = (0..<20_000).map { TokenID(rawValue: $0 % 2 == 0 ? 1 : Int32(100 + $0)) } + [TokenID(rawValue: 1)]
        var broad = RepetitionSearch(
            parameters: DryParameters(multiplier: 1, allowedLength: 1, breakers: []),
            vocabulary: SamplingFixture.vocabulary(10)
        )
        for token in mixed { broad.accept(token) }
        broad.find(into: &list)
        #expect(list.count == RepetitionSearch.mostPlaces)
    }

    @Test("The penalty grows with the length and stays finite")
    func penalty() {
        let search = RepetitionSearch(
            parameters: DryParameters(multiplier: 0.5, base: 2, allowedLength: 3),
            vocabulary: SamplingFixture.vocabulary(10)
        )
        #expect([3, 4, 6].map { search.penalty(length: $0) } == [0.5, 1, 4])
        #expect(search.penalty(length: 1_000_000) < 1e32)
    }

    @Test("A text is asked for once a token")
    func textsAsked() {
        var asked = 0
        let vocabulary = SamplerVocabulary(size: 10, endOfGeneration: []) { _, _ in asked += 1 }
        var search = RepetitionSearch(parameters: DryParameters(multiplier: 1), vocabulary: vocabulary)
        for place in 0..<100 { search.accept(TokenID(rawValue: Int32(place % 4))) }
        #expect(asked == 4)
    }

    private let reference = ReferenceSampler(
        request: GenerationRequest(prompt: "a"),
        prompt: [],
        output: [],
        endOfGeneration: [],
        text: SamplingFixture.text
    )

    private func found(_ dry: DryParameters, in history: [TokenID]) -> [TokenID: Int] {
        var search = RepetitionSearch(parameters: dry, vocabulary: SamplingFixture.vocabulary(50))
        for token in history { search.accept(token) }
        var list: [UInt64] = []
        search.find(into: &list)
        return Dictionary(
            list.map { (TokenID(rawValue: Int32($0 >> 32)), Int($0 & 0xFFFF_FFFF)) },
            uniquingKeysWith: max
        )
    }
}
