import Foundation

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
        let visible = Self.clip(lines, to: Self.size())
        try Terminal.write("\u{1b}[H" + visible.map { $0 + "\u{1b}[K\n" }.joined() + "\u{1b}[J")
    }

    /// The lines as far as they fit: a line that wraps or scrolls would spoil the picture.
    static func clip(_ lines: [String], to size: (columns: Int, rows: Int)?) -> [String] {
        guard let size, size.columns > 0, size.rows > 1 else { return lines }
        return lines.prefix(size.rows - 1).map { String($0.prefix(size.columns)) }
    }

    /// The terminal's size; `nil` where the output is none.
    private static func size() -> (columns: Int, rows: Int)? {
        var size = winsize()
        // Invariant: the structure outlives the call, which fills it where the descriptor is a terminal.
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 else { return nil }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// Shows the cursor again.
    func close() {
        // A terminal that is gone needs no cursor.
        if isInPlace { try? Terminal.write("\u{1b}[?25h") }
    }
}
