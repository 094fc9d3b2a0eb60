import ApusModel
import Testing

@testable import ApusCore

@Suite("Retry budget")
struct RetryBudgetTests {
    private static func moment(_ milliseconds: Int64) -> Timestamp { Timestamp(nanoseconds: milliseconds * 1_000_000) }

    private static func emptied(at now: Timestamp) -> RetryBudget {
        var budget = RetryBudget()
        while budget.take(at: now) {}
        return budget
    }

    @Test("It begins with 100 retries")
    func start() {
        var budget = RetryBudget()
        let taken = (0..<200).count { _ in budget.take(at: Self.moment(5)) }
        #expect(taken == 100)
    }

    @Test("Time brings exactly 10 a second, however often it is asked")
    func time() {
        var budget = Self.emptied(at: .zero)
        var taken = 0
        for step in 1...33_333 where budget.take(at: Timestamp(nanoseconds: Int64(step) * 300_007)) { taken += 1 }
        #expect(taken == 33_333 * 300_007 / 100_000_000)
    }

    @Test("Five first attempts bring one retry while time stands still")
    func attempts() {
        var budget = Self.emptied(at: Self.moment(7))
        for count in 1...50 {
            budget.attemptStarted()
            #expect(budget.take(at: Self.moment(7)) == (count % 5 == 0))
        }
    }

    @Test("A clock that goes back brings nothing, neither then nor when it comes forward again")
    func backwards() {
        var budget = Self.emptied(at: Self.moment(1_000))
        #expect(budget.take(at: Self.moment(0)) == false)
        #expect(budget.take(at: Self.moment(1_000)) == false)
        #expect(budget.take(at: Self.moment(1_099)) == false)
        #expect(budget.take(at: Self.moment(1_100)) == true)
    }

    @Test("It never holds more than its capacity, whatever the clock and the attempts bring")
    func capacity() {
        var budget = RetryBudget()
        #expect(budget.take(at: Timestamp(nanoseconds: .min)) == true)
        #expect(budget.available(at: .distantFuture) == RetryBudget.capacity)
        for _ in 0..<200_000 { budget.attemptStarted() }
        let taken = (0..<2 * RetryBudget.capacity).count { _ in budget.take(at: .distantFuture) }
        #expect(taken == RetryBudget.capacity)
    }
}
