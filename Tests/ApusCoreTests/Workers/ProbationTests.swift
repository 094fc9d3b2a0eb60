import ApusModel
import Testing

@testable import ApusCore

@Suite("Probation")
struct ProbationTests {
    private static func at(_ seconds: Double) -> Timestamp { .zero + .seconds(seconds) }

    @Test("The first silence is forgiven, the second costs a second", arguments: [Probation.Strike.silent, .flapped])
    func mildStrike(strike: Probation.Strike) {
        var probation = Probation()
        probation.struck(strike, at: Self.at(10))
        #expect(!probation.isQuarantined(at: Self.at(10)))
        #expect(probation.until == nil)
        probation.struck(strike, at: Self.at(11))
        #expect(probation.until == Self.at(12))
    }

    @Test("Quarantine doubles with every strike, up to half a minute", arguments: [Probation.Strike.hung, .lied])
    func doubling(strike: Probation.Strike) {
        var probation = Probation()
        var now = 100.0
        for seconds in [1.0, 2, 4, 8, 16, 30, 30, 30] {
            probation.struck(strike, at: Self.at(now))
            #expect(probation.until == Self.at(now + seconds))
            #expect(probation.isQuarantined(at: Self.at(now + seconds - 0.001)))
            now += seconds
            #expect(!probation.isQuarantined(at: Self.at(now)))
        }
    }

    @Test("A shorter quarantine never cuts a longer one short")
    func noShortening() {
        var probation = Probation()
        for _ in 0..<5 { probation.struck(.hung, at: .zero) }
        #expect(probation.until == Self.at(16))
        probation.struck(.silent, at: .zero)
        #expect(probation.until == Self.at(30))
    }

    @Test("A minute of good service after the quarantine forgets all strikes")
    func forgetting() {
        var probation = Probation()
        for _ in 0..<3 { probation.struck(.hung, at: .zero) }
        #expect(probation.until == Self.at(4))
        #expect(probation.strikes(at: Self.at(63.9)) == 3)
        #expect(probation.strikes(at: Self.at(64)) == 0)
        probation.struck(.silent, at: Self.at(64))
        #expect(!probation.isQuarantined(at: Self.at(64)))
        probation.struck(.lied, at: Self.at(65))
        #expect(probation.until == Self.at(66))
    }

    @Test("Any number of strikes at any time is taken")
    func bounds() {
        var probation = Probation()
        for round in 0..<2_000 {
            probation.struck(Probation.Strike.allCases[round % 4], at: .distantFuture)
            #expect(probation.strikes(at: .distantFuture) <= 1_000)
        }
        #expect(probation.until == .distantFuture)
    }
}
