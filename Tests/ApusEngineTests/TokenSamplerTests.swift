import ApusModel
import Testing

@testable import ApusEngine

/// Draws against the definition, written down plainly here, and the properties that streams rely on.
struct TokenSamplerTests {
    @Test("Temperature 0 takes the highest logit, the lowest token among equals")
    func greedy() throws {
        #expect(try draw([1, 3, 2, 3]) == 1)
        #expect(try draw([-5, -4, -4]) == 1)
        #expect(try draw([-.infinity, -3]) == 1)
        var long = [Float](repeating: -1, count: 2_000)
        long[1_999] = 0
        long[1_500] = 0
        #expect(try draw(long) == 1_500)
        long[3] = 0
        #expect(try draw(long) == 3)
    }

    @Test("Logits that are not numbers fail", arguments: [0, 1, 700, 1_299])
    func notNumbers(place: Int) {
        for bad in [Float.nan, -Float.nan, .infinity] {
            var logits = [Float](repeating: 1, count: 1_300)
            logits[place] = bad
            for temperature in [0, 1.0] {
                #expect {
                    try draw(logits, SamplingParameters(temperature: temperature))
                } throws: {
                    ($0 as? ApusError)?.code == .engineFailure
                }
            }
        }
        #expect { try draw([]) } throws: { ($0 as? ApusError)?.code == .engineFailure }
    }

    @Test("top_k 1 and a tiny temperature are greedy")
    func nearlyGreedy() throws {
        let logits = row(seed: 1)
        let best = try draw(logits)
        for index in 0..<50 {
            #expect(try draw(logits, SamplingParameters(temperature: 2, topK: 1), index: index) == best)
            #expect(try draw(logits, SamplingParameters(temperature: 1e-30), index: index) == best)
        }
    }

    @Test(
        "Draws follow the definition",
        arguments: [
            SamplingParameters(temperature: 1, seed: 1), SamplingParameters(temperature: 0.3, seed: 2),
            SamplingParameters(temperature: 5, seed: 3), SamplingParameters(temperature: 1, topK: 7, seed: 4),
            SamplingParameters(temperature: 1, topP: 0.9, seed: 5),
            SamplingParameters(temperature: 1.2, topK: 40, topP: 0.5, seed: 6),
            SamplingParameters(temperature: 1, topK: 5_000, topP: 0.01, seed: 7),
        ]
    )
    func definition(parameters: SamplingParameters) throws {
        for seed in 0..<4 {
            let logits = row(seed: UInt64(seed))
            for index in 0..<40 {
                let candidates = reference(logits, parameters, index: index)
                #expect(candidates.contains(try draw(logits, parameters, index: index)), "row \(seed), index \(index)")
            }
        }
    }

    @Test("Equal logits are drawn from in the order of tokens")
    func ties() throws {
        let logits = [Float](repeating: 0.5, count: 100)
        for index in 0..<50 {
            let share = CounterRandom.uniform(seed: 9, index: UInt64(index))
            #expect(try draw(logits, SamplingParameters(temperature: 1, seed: 9), index: index) == Int(share * 100))
            let kept = try draw(logits, SamplingParameters(temperature: 1, topK: 10, seed: 9), index: index)
            #expect(kept == Int(share * 10))
        }
    }

    @Test("A draw depends on seed and index alone, not on the draws before it")
    func stateless() throws {
        let logits = row(seed: 3)
        let parameters = SamplingParameters(temperature: 1, topP: 0.95, seed: 77)
        var sampler = TokenSampler()
        let inOrder = try logits.withUnsafeBufferPointer { logits in
            try (0..<20).map { try sampler.draw(from: logits, with: parameters, index: $0) }
        }
        for index in (0..<20).reversed() {
            #expect(try draw(logits, parameters, index: index) == Int(inOrder[index].rawValue))
        }
        #expect(Set(inOrder).count > 1)
    }

    @Test("The counter's numbers are fixed, uniform and apart for neighbouring seeds")
    func counter() {
        #expect(CounterRandom.bits(seed: 0, index: 0) == 0xE220_A839_7B1D_CDAF)
        let mean = (0..<10_000).reduce(0.0) { $0 + CounterRandom.uniform(seed: 5, index: UInt64($1)) } / 10_000
        #expect(abs(mean - 0.5) < 0.01)
        #expect(Set((0..<1_000).map { CounterRandom.bits(seed: $0, index: 1_000 - $0) }).count == 1_000)
        #expect(CounterRandom.bits(seed: .max, index: .max) != 0)
    }

    @Test("The exponential is right to 20 bits and never grows towards lower arguments")
    func exponential() {
        // e^-1, e^-0.5, e^-10, e^-32 to 9 digits.
        let known: [(Float, Float)] = [
            (0, 1), (-0.5, 0.606_530_660), (-1, 0.367_879_441), (-10, 4.539_992_98e-5), (-32, 1.266_416_55e-14),
        ]
        for (x, value) in known {
            #expect(abs(LogitHistogram.exponential(x) / value - 1) < 0x1p-19)
        }
    }

    private func draw(_ logits: [Float], _ parameters: SamplingParameters = .init(), index: Int = 0) throws -> Int {
        var sampler = TokenSampler()
        return try logits.withUnsafeBufferPointer {
            Int(try sampler.draw(from: $0, with: parameters, index: index).rawValue)
        }
    }

    /// 3,000 logits, bell-shaped around 0, as a model's are.
    private func row(seed: UInt64) -> [Float] {
        (0..<3_000).map { token in
            let sum = (0..<6).reduce(0.0) { sum, part in
                sum + CounterRandom.uniform(seed: seed &* 3_000 &+ UInt64(token), index: UInt64(part))
            }
            return Float((sum - 3) * 5)
        }
    }

    /// The tokens that the definition allows; more than one only where the share falls on a border within rounding.
    private func reference(_ logits: [Float], _ parameters: SamplingParameters, index: Int) -> Set<Int> {
        let highest = logits.max() ?? 0
        var order = logits.indices.sorted { logits[$0] == logits[$1] ? $0 < $1 : logits[$0] > logits[$1] }
        let scale = Float(1 / parameters.temperature)
        func weight(_ token: Int) -> Double {
            Double(LogitHistogram.exponential(max(-40, (logits[token] - highest) * scale)))
        }
        if parameters.topK > 0 { order = Array(order.prefix(parameters.topK)) }
        let limit = parameters.topP * order.reduce(0) { $0 + weight($1) }
        var mass = 0.0
        if parameters.topP < 1,
            let end = order.firstIndex(where: {
                mass += weight($0); return mass > limit
            })
        {
            order = Array(order[...end])
        }
        let share = CounterRandom.uniform(seed: parameters.seed ?? 0, index: UInt64(index))
        let target = share * order.reduce(0) { $0 + weight($1) }
        var sum = 0.0
        var allowed: Set<Int> = []
        for token in order {
            let next = sum + weight(token)
            if next > target - 1e-9, sum <= target + 1e-9 { allowed.insert(token) }
            sum = next
        }
        return allowed
    }
}
