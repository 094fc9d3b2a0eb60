import Testing

@testable import ApusCore

@Suite("Expected work")
struct OutputEstimateTests {
    @Test("Before anything is learned the maximum is expected")
    func unlearned() {
        #expect(OutputEstimate().expected(maximumTokens: 4_096) == 4_096)
    }

    @Test("The first completion is believed; later ones move the average towards them")
    func average() {
        var estimate = OutputEstimate()
        estimate.learned(actual: 100, maximum: 4_096)
        #expect(estimate.expected(maximumTokens: 4_096) == 100)
        #expect(estimate.expected(maximumTokens: 7) == 7)
        estimate.learned(actual: 260, maximum: 4_096)
        #expect(estimate.expected(maximumTokens: 4_096) == 110)
        for _ in 0..<200 { estimate.learned(actual: 30, maximum: 4_096) }
        #expect(estimate.expected(maximumTokens: 4_096) == 30)
    }

    @Test("Completions that a low maximum cut off do not lower the average")
    func cutOff() {
        var estimate = OutputEstimate()
        estimate.learned(actual: 500, maximum: 4_096)
        for _ in 0..<200 { estimate.learned(actual: 8, maximum: 8) }
        #expect(estimate.expected(maximumTokens: 4_096) == 500)
        for _ in 0..<400 { estimate.learned(actual: 2_000, maximum: 2_000) }
        #expect(estimate.expected(maximumTokens: 4_096) == 2_000)
    }

    @Test("At least one token is expected, however empty the completions were")
    func atLeastOne() {
        var estimate = OutputEstimate()
        estimate.learned(actual: 0, maximum: 10)
        #expect(estimate.expected(maximumTokens: 10) == 1)
    }

    @Test(
        "A prompt has a token for every four bytes, and at least one",
        arguments: [(0, 1), (1, 1), (4, 1), (5, 2), (400, 100)]
    )
    func promptTokens(bytes: Int, tokens: Int) {
        #expect(TokenWork.promptTokens(bytes: bytes) == tokens)
        #expect(TokenWork.expected(promptBytes: bytes, outputTokens: 9) == tokens + 9)
    }
}
