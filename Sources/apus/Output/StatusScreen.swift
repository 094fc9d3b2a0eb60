/// A screen that is drawn again in place, without flicker and without a trace of longer lines before.
struct StatusScreen {
    /// Whether to draw in place; otherwise nothing is done to the terminal.
    let isInPlace: Bool

    /// Clears the screen and hides the cursor.
    ///
    /// - Throws: `CommandExit` where the reader is gone.
    func open() throws {
        if isInPlace { try Terminal.write("\u{1b}[?25l\u{1b}[2J") }
    }

    /// Draws lines from the top, over what was there.
    ///
    /// - Throws: `CommandExit` where the reader is gone.
    func draw(_ lines: [String]) throws {
        // Home, each line cleared behind its end, then everything below: nothing is blank in between.
        try Terminal.write("\u{1b}[H" + lines.map { $0 + "\u{1b}[K\n" }.joined() + "\u{1b}[J")
    }

    /// Shows the cursor again.
    func close() {
        // A terminal that is gone needs no cursor.
        if isInPlace { try? Terminal.write("\u{1b}[?25h") }
    }
}
