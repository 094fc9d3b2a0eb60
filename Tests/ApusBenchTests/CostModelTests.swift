import Testing

@testable import apus_bench

@Suite("Cost models")
struct CostModelTests {
    private static let loads: [(rows: Int, context: Double)] = [
        (1, 40), (4, 160), (16, 900), (32, 1_400), (1, 900), (8, 5_000),
    ]

    private func samples(of model: CostModel) -> [CostModel.Sample] {
        Self.loads.map { rows, context in
            CostModel.Sample(
                rows: rows,
                contextTokens: context,
                microseconds: model.microseconds(rows: rows, contextTokens: context)
            )
        }
    }

    @Test("A fit finds the constants that steps were made of")
    func fitFindsConstants() {
        let truth = CostModel(step: 3_800, row: 640, contextToken: 1.7, promptToken: 600)
        let fitted = CostModel(fitting: samples(of: truth), promptToken: 600)
        #expect(abs(fitted.step - truth.step) < 0.1)
        #expect(abs(fitted.row - truth.row) < 0.1)
        #expect(abs(fitted.contextToken - truth.contextToken) < 0.001)
        #expect(fitted.largestError(over: samples(of: truth)) < 1e-6)
    }

    @Test("A constant that would be negative is none")
    func noConstantIsNegative() {
        let odd = CostModel(step: 5_000, row: 300, contextToken: -0.2, promptToken: 600)
        let fitted = CostModel(fitting: samples(of: odd), promptToken: 600)
        #expect(fitted.contextToken == 0)
        #expect(fitted.step > 0 && fitted.row > 0)
    }
}
