import ApusModel
import Testing

@testable import ApusEngine

@Suite("Session meter")
struct SessionMeterTests {
    @Test("A session without tokens has no times")
    func empty() {
        #expect(SessionMeter().summary == SessionSummary())
        var meter = SessionMeter()
        meter.note(interval: nil, batch: 3)
        #expect(meter.summary.tokens == 1)
        #expect(meter.summary.meanTokenTime == .zero)
        #expect(meter.summary.p95TokenTime == .zero)
        #expect(meter.summary.batchSize == 3)
    }

    @Test("The mean is exact, and 95 of 100 are within an eighth of an octave", arguments: 0..<50)
    func times(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        let count = Int.random(in: 1...2_000, using: &random)
        var meter = SessionMeter()
        meter.note(interval: nil, batch: 1)
        let times = (0..<count).map { _ in
            Int64.random(in: 1_024...(1_024 << Int64.random(in: 0...25, using: &random)), using: &random)
        }
        for time in times { meter.note(interval: time, batch: 1) }
        let summary = meter.summary
        #expect(summary.tokens == count + 1)
        #expect(summary.meanTokenTime == .nanoseconds(times.reduce(0, +) / Int64(count)))
        let exact = times.sorted()[(count * 95 + 99) / 100 - 1]
        let measured = summary.p95TokenTime.nanoseconds
        #expect(measured >= exact)
        #expect(measured <= exact + exact / 8)
    }

    @Test("95 of 100 leaves the slowest 5 out")
    func rank() {
        var meter = SessionMeter()
        for _ in 0..<95 { meter.note(interval: 1_000_000, batch: 1) }
        for _ in 0..<5 { meter.note(interval: 1_000_000_000, batch: 1) }
        #expect(meter.summary.p95TokenTime < .milliseconds(2))
        meter.note(interval: 1_000_000_000, batch: 1)
        #expect(meter.summary.p95TokenTime > .milliseconds(900))
    }

    @Test("Times beyond the buckets count as the nearest")
    func extremes() {
        var meter = SessionMeter()
        meter.note(interval: 1, batch: 1)
        #expect(meter.summary.p95TokenTime < .microseconds(2))
        for _ in 0..<100 { meter.note(interval: .max >> 10, batch: 1) }
        #expect(meter.summary.p95TokenTime > .seconds(60))
    }

    @Test("Tokens that come together have no time between them")
    func together() {
        var meter = SessionMeter()
        meter.note(interval: nil, batch: 1)
        for interval in [8_000_000, 0, 0, 0] as [Int64] { meter.note(interval: interval, batch: 1) }
        #expect(meter.summary.meanTokenTime == .milliseconds(2))
    }

    @Test("The most common batch counts, the largest of equals, and 256 stands for more")
    func batches() {
        var meter = SessionMeter()
        for batch in [1, 7, 7, 3, 3, 3, 7, 9] { meter.note(interval: nil, batch: batch) }
        #expect(meter.summary.batchSize == 7)
        for _ in 0..<9 { meter.note(interval: nil, batch: 100_000) }
        #expect(meter.summary.batchSize == 256)
    }
}
