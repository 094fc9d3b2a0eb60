import ApusModel
import Testing

@testable import apus_bench

@Suite("Comparisons of outputs")
struct ExactnessTests {
    private func output(_ ids: [Int32], _ text: String, _ reason: FinishReason = .length) -> ExactnessOutput {
        var output = ExactnessOutput([])
        output.choices = [ExactnessOutput.Choice(ids: ids, utf8: Array(text.utf8), reason: reason)]
        return output
    }

    @Test("A difference is named with its place")
    func differencesAreNamed() {
        let reference = output([1, 2, 3], "abc")
        #expect(reference.difference(to: reference) == nil)
        #expect(reference.difference(to: output([1, 9, 3], "abc")) == "at token 1")
        #expect(reference.difference(to: output([1, 2], "ab")) == "2 tokens, not 3")
        #expect(reference.difference(to: output([1, 2, 3], "abd")) == "in the text")
        #expect(reference.difference(to: output([1, 2, 3], "abc", .stop)) == "ended by stop")
        #expect(reference.difference(to: ExactnessOutput([])) == "0 streams")
    }

    @Test("Equal bytes show nothing where the thing itself did not happen")
    func untestedIsNotEqual() {
        let reference = output([1], "a")
        #expect(reference.cell(of: reference, unless: true, "no hit") == .untested("no hit"))
        #expect(reference.cell(of: output([2], "b"), unless: true, "no hit") == .different("at token 0"))
    }

    @Test("A text that breaks its grammar, its schema or its stop strings is no reference")
    func faultsAreFound() {
        #expect(ExactnessMode.grammar.fault(in: output([1], "- a bird\n- two birds\n- th")) == nil)
        #expect(ExactnessMode.grammar.fault(in: output([1], "- A Bird!\n- two\n")) != nil)
        #expect(ExactnessMode.schema.fault(in: output([1], #"{"name":"x","colours":["red"],"flags":[]}"#)) != nil)
        #expect(ExactnessMode.stop.fault(in: output([1], "and so on", .stop)) == nil)
        #expect(ExactnessMode.stop.fault(in: output([1], "and so on.", .length)) != nil)
        #expect(ExactnessMode.stop.fault(in: output([1], "this is the ", .stop)) != nil)
        #expect(ExactnessMode.choices.fault(in: output([1], "a")) != nil)
    }

    @Test("Every mode asks for something that may be asked for", arguments: ExactnessMode.allCases)
    func requestsAreValid(mode: ExactnessMode) throws {
        for tokens in [ExactnessPlan.quick.tokens, ExactnessPlan.full.tokens] {
            try mode.request(tokens: tokens).validate()
            try mode.control(tokens: tokens)?.validate()
        }
    }

    @Test("No two modes share more of a prompt's beginning than its opening words")
    func promptsAreApart() {
        let prompts = ExactnessMode.allCases.map { Array($0.request(tokens: 32).prompt.utf8) }
        for (place, one) in prompts.enumerated() {
            for other in prompts[(place + 1)...] {
                #expect(zip(one, other).prefix { $0 == $1 }.count < 30)
            }
        }
    }
}
