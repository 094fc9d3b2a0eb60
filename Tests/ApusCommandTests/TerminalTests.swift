import Testing

@testable import apus

@Suite struct TerminalTests {
    @Test func `What would command a terminal is left out of a model's text`() {
        #expect(Terminal.harmless("a\u{1b}[2Jb\tc\n\u{9b}31m\u{7}\rü🐦") == "a[2Jb\tc\n31mü🐦")
    }

    @Test func `A watched screen keeps to the terminal's size`() {
        let lines = ["one line that is long", "two", "three"]
        #expect(StatusScreen.clip(lines, to: (columns: 8, rows: 3)) == ["one line", "two"])
        #expect(StatusScreen.clip(lines, to: nil) == lines)
    }
}
