import ApusGrammar
import ApusModel

@testable import ApusEngine

/// Rows, parameters and histories from a seed.
struct SamplingFixture {
    var generator: SeededGenerator

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
    }

    /// Texts of tokens: every seventh is a line's end, every eleventh holds a colon.
    static func text(_ token: TokenID) -> [UInt8] {
        if token.rawValue % 7 == 6 { return Array("\n".utf8) }
        return Array((token.rawValue % 11 == 10 ? "ab:c" : "t\(token.rawValue)").utf8)
    }

    static func vocabulary(_ size: Int) -> SamplerVocabulary {
        SamplerVocabulary(
            size: size,
            endOfGeneration: [TokenID(rawValue: 0), TokenID(rawValue: Int32(size / 2))],
            appendText: { $1 += text($0) }
        )
    }

    mutating func pick<Value>(_ values: [Value]) -> Value {
        values[Int(generator.next() % UInt64(values.count))]
    }

    mutating func row(_ size: Int) -> [Float] {
        let kind = Int(generator.next() % 10)
        var row = (0..<size).map { _ in
            let sum = (0..<6).reduce(0.0) { sum, _ in sum + Double(generator.next() >> 11) * 0x1p-53 }
            return Float((sum - 3) * 4)
        }
        switch kind {
        case 0: row = row.map { ($0 * 2).rounded() / 2 }
        case 1: row = row.map { _ in -3.25 }
        case 2: row = row.map { $0 * 2.5e37 }
        case 3: row = row.map { $0 * 1e-30 }
        case 4: for token in row.indices where generator.next() % 3 == 0 { row[token] = -.infinity }
        case 5: row[Int(generator.next() % UInt64(size))] = 40
        case 6: row.sort()
        case 7: row.sort(by: >)
        case 8: row = row.map { $0 > 3 ? $0 : ($0 > 0 ? 0 : -0.0) }
        default: break
        }
        return row
    }

    mutating func history(_ size: Int) -> [TokenID] {
        let alphabet = pick([2, 5, 40])
        return (0..<pick([0, 1, 10, 90])).map { _ in
            TokenID(rawValue: Int32(generator.next() % UInt64(min(alphabet, size + 2))))
        }
    }

    mutating func request(_ size: Int) -> GenerationRequest {
        var sampling = SamplingParameters(
            temperature: pick([0, 1e-7, 0.2, 0.7, 1, 1.5, 5]),
            topK: pick([0, 0, 0, 1, 2, 5, 40, 1_000]),
            topP: pick([1, 1, 1, 1e-6, 0.1, 0.5, 0.9, 0.95, 0.999]),
            minP: pick([0, 0, 0, 1e-300, 0.05, 0.5, 1]),
            typicalP: pick([1, 1, 1, 1, 0.2, 0.9, 0.99]),
            seed: generator.next()
        )
        if pick([true, false]) {
            sampling.repetitionPenalty = pick([1, 1.1, 0.7, 10])
            sampling.penaltyWindow = pick([0, 1, 3, 64])
            sampling.frequencyPenalty = pick([0, 0.5, -0.25, 2])
            sampling.presencePenalty = pick([0, 1, -2])
        }
        if pick([true, false, false]) {
            sampling.dry = DryParameters(
                multiplier: pick([0, 0.8, 5]),
                base: pick([1, 1.75, 3]),
                allowedLength: pick([0, 1, 2, 4]),
                window: pick([0, 1, 2, 30])
            )
        }
        if pick([true, false, false]) {
            let tokens = Set((0..<8).map { _ in Int32(generator.next() % UInt64(size + 1)) }).sorted()
            sampling.logitBias = tokens.map {
                LogitBias(token: TokenID(rawValue: $0), bias: pick([-100, -99, -1, 3, 100]))
            }
        }
        var request = GenerationRequest(prompt: "a", maximumTokens: 1_000, sampling: sampling)
        request.minimumTokens = pick([0, 0, 50])
        return request
    }

    mutating func mask(_ size: Int) -> TokenMask? {
        let kind = generator.next() % 5
        guard kind < 3 else { return nil }
        var mask = TokenMask(tokenCount: size)
        for word in mask.words.indices {
            let bits = generator.next()
            var allowed = kind == 0 ? bits & generator.next() & generator.next() : bits | generator.next()
            if bits % 4 == 0 { allowed = kind == 0 ? 0 : .max }
            for place in 0..<64 where allowed >> UInt64(place) & 1 == 1 && word * 64 + place < size {
                mask.insert(word * 64 + place)
            }
        }
        return mask
    }
}
