import Testing

@testable import ApusLlama

/// Texts of control tokens, found where they stand.
struct ControlTextsTests {
    private let texts = ControlTexts(["<|im_end|>", "<|im_start|>", "<s>", "<|im", "｜a｜", "x", ""])

    private func places(_ text: String) -> [[Int]] {
        texts.occurrences(in: Array(text.utf8)).map { [$0.start, $0.cut, $0.end] }
    }

    @Test("Text without them has none; single characters and empty texts are not looked for")
    func none() {
        #expect(places("").isEmpty)
        #expect(places("plain text with x and < and <| and im_end|>").isEmpty)
    }

    @Test("Each is found with the place behind its first character, the longest at each place")
    func found() {
        #expect(places("<s>") == [[0, 1, 3]])
        #expect(places("a<|im_end|>b<|im_en") == [[1, 2, 11], [12, 13, 16]])
        #expect(places("｜a｜a｜") == [[0, 3, 7], [4, 7, 11]])
    }

    @Test("A long text of nothing but beginnings takes no time to speak of")
    func hostile() {
        #expect(places(String(repeating: "<|im_star", count: 50_000)).count == 50_000)
    }
}
