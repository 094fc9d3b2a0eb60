import ApusModel
import Testing

@testable import ApusCore

@Suite("What placement knows of a worker")
struct WorkerCostTests {
    @Test func `What a worker has computed of its prompts is not ahead of a new one`() {
        var cost = WorkerCost(name: WorkerName(unchecked: "w"), slots: 4)
        cost.prefilled(5_000)
        #expect(cost.tokensAhead == 0)
        cost.pendingPrefillTokens += 600
        cost.pendingPrefillTokens += 400
        cost.prefilled(5_512)
        #expect(cost.tokensAhead == 488)
        cost.prefilled(5_600)
        cost.prefillEnded(tokens: 600)
        #expect(cost.tokensAhead == 400)
        cost.prefilled(6_000)
        cost.prefillEnded(tokens: 400)
        #expect(cost.tokensAhead == 0)
        #expect(cost.computedPrefillTokens == 0)
    }

    @Test func `A counter that leaps or runs backwards makes no estimate negative`() {
        var cost = WorkerCost(name: WorkerName(unchecked: "w"), slots: 4)
        cost.pendingPrefillTokens += 100
        cost.prefilled(.max)
        #expect(cost.tokensAhead == 0)
        cost.prefilled(3)
        cost.prefillEnded(tokens: 100)
        #expect(cost.tokensAhead == 0)
        cost.pendingPrefillTokens += 50
        #expect(cost.tokensAhead == 50)
    }
}
