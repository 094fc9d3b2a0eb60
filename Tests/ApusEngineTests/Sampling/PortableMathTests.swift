import Foundation
import Testing

@testable import ApusEngine

/// The numbers that draws rest on.
struct PortableMathTests {
    @Test("The counter's numbers are fixed, uniform and apart for neighbouring seeds")
    func counter() {
        #expect(CounterRandom.bits(seed: 0, index: 0) == 0xE220_A839_7B1D_CDAF)
        let mean = (0..<10_000).reduce(0.0) { $0 + CounterRandom.uniform(seed: 5, index: UInt64($1)) } / 10_000
        #expect(abs(mean - 0.5) < 0.01)
        #expect(Set((0..<1_000).map { CounterRandom.bits(seed: $0, index: 1_000 - $0) }).count == 1_000)
        #expect(CounterRandom.bits(seed: .max, index: .max) != 0)
    }

    @Test("The exponential is right to 19 bits, and exactly 1 at 0")
    func exponential() {
        #expect(PortableMath.exponential(0) == 1)
        for step in 0...8_700 {
            let x = Float(step) * -0.01
            #expect(abs(Double(PortableMath.exponential(x)) / exp(Double(x)) - 1) < 0x1p-19 + 87 * 0x1p-24)
        }
    }

    @Test("The logarithm is right to 12 digits, from the smallest number to the largest")
    func logarithm() {
        #expect(PortableMath.logarithm(1) == 0)
        var x = Double.leastNonzeroMagnitude
        while x.isFinite {
            #expect(abs(PortableMath.logarithm(x) - log(x)) < 1e-12 * max(1, abs(log(x))))
            x *= 1.37 + (x < 1e-300 ? 1 : 0)
        }
    }
}
