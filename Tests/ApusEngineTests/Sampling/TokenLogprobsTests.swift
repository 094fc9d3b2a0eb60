import ApusModel
import Foundation
import Testing

@testable import ApusEngine

/// Log probabilities against their definition in Double.
struct TokenLogprobsTests {
    @Test(
        "Logarithms and alternatives are those of the definition",
        arguments: [(1, 30), (2, 60), (64, 100), (65, 100), (3_000, 60), (49_152, 8)]
    )
    func definition(size: Int, rounds: Int) throws {
        let scratch = SamplerScratch()
        for round in 0..<rounds {
            var fixture = SamplingFixture(seed: UInt64(size * 1_000 + round))
            let row = fixture.row(size)
            guard let highest = row.max(), highest.isFinite else { continue }
            let total = log(row.reduce(0.0) { $0 + exp(Double($1) - Double(highest)) })
            let order = row.indices.filter { row[$0] > -.infinity }
                .sorted { row[$0] == row[$1] ? $0 < $1 : row[$0] > row[$1] }
            let token = fixture.pick(order)
            let count = fixture.pick([0, 1, 5, 20])
            let logprobs = try row.withUnsafeBufferPointer {
                try TokenLogprobs(of: $0, drawn: TokenID(rawValue: Int32(token)), alternatives: count, scratch: scratch)
            }
            #expect(logprobs.drawn.token.rawValue == Int32(token))
            #expect(
                logprobs.alternatives.map { Int($0.token.rawValue) } == Array(order.prefix(count)),
                "round \(round)"
            )
            for entry in [logprobs.drawn] + logprobs.alternatives {
                let exact = Double(row[Int(entry.token.rawValue)]) - Double(highest) - total
                #expect(entry.logprob.isFinite)
                #expect(
                    abs(Double(entry.logprob) - max(exact, -Double(Float.greatestFiniteMagnitude))) < 1e-5
                        * max(1, abs(exact)),
                    "round \(round)"
                )
            }
        }
    }

    @Test("Alternatives far below a certain token are found too")
    func peaked() throws {
        var row = (0..<10_000).map { Float($0 % 100) * 0.01 }
        row[77] = 500
        let logprobs = try row.withUnsafeBufferPointer {
            try TokenLogprobs(of: $0, drawn: TokenID(rawValue: 77), alternatives: 4, scratch: SamplerScratch())
        }
        #expect(logprobs.alternatives.map(\.token.rawValue) == [77, 99, 199, 299])
        #expect(logprobs.drawn.logprob == 0)
    }

    @Test("Rows that are not numbers and tokens without a finite logit fail")
    func failures() {
        for (row, token) in [
            ([1, .nan], 0), ([1, .infinity], 0), ([1, -.infinity], 1), ([1], 3), ([1], -1), ([], 0),
        ]
            as [([Float], Int32)]
        {
            #expect {
                try row.withUnsafeBufferPointer {
                    try TokenLogprobs(
                        of: $0,
                        drawn: TokenID(rawValue: token),
                        alternatives: 2,
                        scratch: SamplerScratch()
                    )
                }
            } throws: {
                ($0 as? ApusError)?.code == .engineFailure
            }
        }
    }
}
