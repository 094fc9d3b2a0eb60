import Testing

@testable import ApusLlama

/// Which slots a pass feeds; `-` marks a dummy.
struct PassPlanTests {
    @Test("Neighbours need nothing")
    func neighbours() {
        #expect(plan([2, 3, 4]) == "2 3 4")
    }

    @Test("A gap of one or two slots is filled, a wider one is left")
    func gaps() {
        #expect(plan([0, 2]) == "0 -1 2")
        #expect(plan([0, 3]) == "0 -1 -2 3")
        #expect(plan([0, 4]) == "0 4")
        #expect(plan([0, 2, 6, 7]) == "0 -1 2 6 7")
    }

    @Test("A gap over a full slot is left")
    func fullSlots() {
        #expect(plan([0, 2], full: [1]) == "0 2")
        #expect(plan([0, 3], full: [2]) == "0 3")
    }

    @Test("Lone rows get a companion where they need one")
    func companions() {
        #expect(plan([0], .besideCompanion) == "0 -1")
        #expect(plan([7], .besideCompanion) == "-6 7")
        #expect(plan([3], .besideCompanion, full: [4]) == "-2 3")
        #expect(plan([0, 4, 5], .besideCompanion) == "0 -1 4 5")
        #expect(plan([0, 1, 7], .besideCompanion) == "0 1 -6 7")
        #expect(plan([0, 1], .besideCompanion) == "0 1")
    }

    @Test("A lone row without room beside it is computed on one thread")
    func oneThread() {
        #expect(plan([3], .besideCompanion, full: [2, 4]) == "3 on one thread")
        #expect(plan([3], .onOneThread) == "3 on one thread")
        #expect(plan([3, 4], .onOneThread) == "3 4")
        #expect(plan([], .onOneThread) == "")
    }

    private func plan(_ due: [Int], _ policy: LoneRowPolicy = .asIs, full: Set<Int> = []) -> String {
        var plan = PassPlan()
        plan.lay(out: due, policy: policy, slots: 8) { !full.contains($0) }
        let rows = plan.entries.compactMap(\.row)
        #expect(rows == Array(due.indices))
        let slots = plan.entries.map { $0.row == nil ? "-\($0.slot)" : "\($0.slot)" }
        return (slots + (plan.needsOneThread ? ["on one thread"] : [])).joined(separator: " ")
    }
}
