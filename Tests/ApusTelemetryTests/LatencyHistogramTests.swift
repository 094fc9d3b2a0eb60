import ApusModel
import ApusTelemetry
import Testing

@Suite("Latency histogram")
struct LatencyHistogramTests {
    @Test("Quantiles of a known distribution")
    func quantiles() {
        var histogram = LatencyHistogram()
        for value in 1...1_000 { histogram.record(.microseconds(value)) }
        let quantiles = histogram.quantiles
        #expect(quantiles.count == 1_000)
        #expect(quantiles.p50 == .microseconds(500))
        #expect(quantiles.p95 == .microseconds(950))
        #expect(quantiles.p99 == .microseconds(990))
        #expect(quantiles.maximum == .microseconds(1_000))
        #expect(LatencyHistogram().quantiles == LatencyHistogram.Quantiles())
    }

    @Test("Drained parts add up to the whole, also across the wire's columns")
    func merging() {
        var whole = LatencyHistogram()
        var sum = LatencyHistogram()
        var merged = LatencyHistogram()
        var value: Int64 = 1
        for _ in 0..<4 {
            var part = LatencyHistogram()
            for _ in 0..<500 {
                value = value * 48_271 % 2_147_483_647
                part.record(.microseconds(value % 90_000_000), count: Int(value % 3) + 1)
                whole.record(.microseconds(value % 90_000_000), count: Int(value % 3) + 1)
            }
            merged.merge(part)
            sum.add(part.drain())
            #expect(part.count == 0)
            #expect(part.drain().isEmpty)
        }
        #expect(sum.quantiles == whole.quantiles)
        #expect(merged.quantiles == whole.quantiles)
    }

    @Test("Values beyond the range count at its ends, and no count of a peer overflows")
    func hostileValues() {
        var histogram = LatencyHistogram()
        histogram.record(.seconds(100_000))
        histogram.record(.seconds(-5))
        histogram.record(.zero, count: -7)
        #expect(histogram.count == 2)
        let crazy = LatencyHistogram.Columns(
            values: [0, .max, 77, 5, 6],
            counts: [.max, .max, 1 << 60, 1 << 60, 1 << 60, 9]
        )
        for _ in 0..<10 { histogram.add(crazy) }
        histogram.merge(histogram)
        #expect(histogram.quantiles.p50 > .zero)
        #expect(histogram.quantiles.maximum <= .seconds(3_604))
        #expect(!histogram.drain().isEmpty)
        #expect(histogram.count == 0)
    }
}

@Suite("Rate meter")
struct RateMeterTests {
    private func at(_ milliseconds: Int64) -> Timestamp { Timestamp(nanoseconds: milliseconds * 1_000_000) }

    @Test("A steady rate is measured")
    func steady() {
        var meter = RateMeter(window: .seconds(5))
        for step in 0..<1_000 { meter.record(7, at: at(Int64(step) * 10)) }
        #expect(abs(meter.perSecond(at: at(9_999)) - 700) < 15)
    }

    @Test("A young meter looks back to its first event only")
    func young() {
        var meter = RateMeter(window: .seconds(5))
        for step in 0..<100 { meter.record(1, at: at(1_000 + Int64(step) * 10)) }
        #expect(abs(meter.perSecond(at: at(2_000)) - 100) < 5)
    }

    @Test("After the window nothing is left, and time that stands still or goes back does no harm")
    func silence() {
        var meter = RateMeter(window: .seconds(5))
        #expect(meter.perSecond(at: at(0)) == 0)
        meter.record(100, at: at(100))
        meter.record(100, at: at(50))
        meter.record(-4, at: at(50))
        #expect(meter.perSecond(at: at(100)) > 0)
        #expect(meter.perSecond(at: at(6_000)) == 0)
        #expect(meter.perSecond(at: .distantFuture) == 0)
    }
}
