import ApusCore
import ApusModel
import Testing

@Suite("Transfer pacer")
struct TransferPacerTests {
    private static func ms(_ milliseconds: Int64) -> Timestamp { Timestamp(nanoseconds: milliseconds * 1_000_000) }

    @Test("The first four tokens go at once, the others in groups")
    func phases() {
        var pacer = TransferPacer(group: 3)
        var sizes: [Int] = []
        for step in 0..<10 {
            let now = Self.ms(Int64(step))
            pacer.tokensCame(1, at: now)
            if pacer.isDue(at: now) { sizes.append(pacer.handedOver()) }
        }
        #expect(sizes == [1, 1, 1, 1, 3, 3])
        #expect(pacer.nextIndex == 10)
        #expect(pacer.phase == .later)
    }

    @Test("Phases follow the index")
    func phaseOfIndex() {
        #expect((0..<6).map(TransferPacer.Phase.init(index:)) == [.first, .early, .early, .early, .later, .later])
    }

    @Test("No token waits longer than the bound")
    func longestWait() {
        var pacer = TransferPacer(group: 8, nextIndex: 40)
        #expect(pacer.due == nil)
        pacer.tokensCame(1, at: Self.ms(100))
        pacer.tokensCame(2, at: Self.ms(130))
        #expect(!pacer.isDue(at: Self.ms(149)))
        #expect(pacer.due == Self.ms(150))
        #expect(pacer.isDue(at: Self.ms(150)))
        let count = pacer.handedOver()
        #expect(count == 3)
        #expect(pacer.due == nil)
        pacer.tokensCame(1, at: Self.ms(200))
        #expect(pacer.due == Self.ms(250))
    }

    @Test("What waits at the end is due, and nothing where nothing waits")
    func end() {
        var pacer = TransferPacer(group: 8, nextIndex: 40)
        pacer.tokensCame(1, at: Self.ms(100))
        pacer.streamEnded()
        #expect(pacer.isDue(at: Self.ms(100)))
        pacer.handedOver()
        #expect(!pacer.isDue(at: Self.ms(1_000)))
    }

    @Test("A stream that goes on elsewhere keeps its phase; groups are bounded")
    func continued() {
        var pacer = TransferPacer(group: 100_000, nextIndex: 3)
        #expect(pacer.group == Limits.transferTokens)
        pacer.tokensCame(1, at: Self.ms(1))
        #expect(pacer.isDue(at: Self.ms(1)))
        pacer.handedOver()
        pacer.tokensCame(Limits.transferTokens, at: Self.ms(2))
        #expect(pacer.isDue(at: Self.ms(2)))
        #expect(TransferPacer(group: -1).group == 1)
    }
}

@Suite("Step bound")
struct StepBoundTests {
    private static func bound(compute: Int, transfer: Int) -> StepBound? {
        var classifier = StepBoundClassifier()
        for _ in 0..<5 {
            classifier.stepMeasured(compute: .microseconds(compute), transfer: .microseconds(transfer))
        }
        return classifier.bound
    }

    @Test("The ratio of computing to sending decides")
    func ratio() {
        #expect(Self.bound(compute: 501, transfer: 100) == .compute)
        #expect(Self.bound(compute: 500, transfer: 100) == .balanced)
        #expect(Self.bound(compute: 20, transfer: 100) == .balanced)
        #expect(Self.bound(compute: 19, transfer: 100) == .transfer)
        #expect(Self.bound(compute: 5, transfer: 0) == .compute)
        #expect(Self.bound(compute: 0, transfer: 5) == .transfer)
        #expect(Self.bound(compute: 0, transfer: 0) == nil)
        #expect(StepBoundClassifier().bound == nil)
        #expect(StepBound.allCases.map(\.rawValue) == ["compute", "balanced", "transfer"])
    }

    @Test("One odd step changes nothing, many do")
    func smoothing() {
        var classifier = StepBoundClassifier()
        for _ in 0..<50 { classifier.stepMeasured(compute: .milliseconds(10), transfer: .milliseconds(1)) }
        classifier.stepMeasured(compute: .milliseconds(10), transfer: .milliseconds(5))
        #expect(classifier.bound == .compute)
        for _ in 0..<100 { classifier.stepMeasured(compute: .milliseconds(1), transfer: .milliseconds(10)) }
        #expect(classifier.bound == .transfer)
    }
}

@Suite("Lookahead window")
struct LookaheadWindowTests {
    @Test("Nothing is computed ahead while others wait or memory is short")
    func allowance() {
        let window = LookaheadWindow(size: 16)
        #expect(window.allowance(othersWait: false) == 16)
        #expect(window.allowance(othersWait: true) == 0)
        #expect(window.allowance(othersWait: false, memory: .warning) == 16)
        #expect(window.allowance(othersWait: false, memory: .pressure) == 0)
        #expect(LookaheadWindow(size: -3).size == 0)
    }

    /// Credit from 100 to `new` comes to a stream that has computed up to `computed`.
    struct Case: Sendable {
        var new: Int
        var computed: Int
        var allowance = 16
        var hits: UInt64
        var misses: UInt64
    }

    @Test(
        "Tokens computed before their credit are hits, those that the window kept back are misses",
        arguments: [
            // Behind its credit: the consumer holds nothing up.
            Case(new: 120, computed: 99, hits: 0, misses: 0),
            // At the end of its window: sixteen are there, four more are wanted.
            Case(new: 120, computed: 116, hits: 16, misses: 4),
            Case(new: 110, computed: 116, hits: 10, misses: 0),
            // On its way through the window: its own speed holds it up.
            Case(new: 120, computed: 105, hits: 5, misses: 0),
            // Nothing may be computed ahead: all of it was waited for.
            Case(new: 120, computed: 100, allowance: 0, hits: 0, misses: 20),
            // The allowance went away after they were computed.
            Case(new: 120, computed: 116, allowance: 0, hits: 16, misses: 4),
            Case(new: 100, computed: 116, hits: 0, misses: 0),
            Case(new: 90, computed: 116, hits: 0, misses: 0),
        ]
    )
    func accounting(_ it: Case) {
        var window = LookaheadWindow()
        #expect(window.hitRate == nil)
        window.creditCame(from: 100, to: it.new, computed: it.computed, allowance: it.allowance)
        #expect(window.hits == it.hits)
        #expect(window.misses == it.misses)
    }

    @Test("The hit rate is over all credit that was waited for")
    func hitRate() {
        var window = LookaheadWindow()
        window.creditCame(from: 0, to: 10, computed: 16, allowance: 16)
        window.creditCame(from: 10, to: 50, computed: 20, allowance: 10)
        #expect(window.hits == 20)
        #expect(window.misses == 30)
        #expect(window.hitRate == 0.4)
    }
}
