/// Columns of text, aligned: numbers to the right, the rest to the left.
struct TextTable {
    private let head: [String]
    private let alignsRight: [Bool]
    private var rows: [[String]] = []

    private static let gap = 2

    /// What a column of names keeps at least, where it is shortened.
    private static let leastName = 6

    /// A table without rows.
    ///
    /// - Parameter columns: The headings; one that starts with `>` aligns its column to the right.
    init(_ columns: [String]) {
        head = columns.map { $0.hasPrefix(">") ? String($0.dropFirst()) : $0 }
        alignsRight = columns.map { $0.hasPrefix(">") }
    }

    /// Adds a row with one text a column.
    mutating func add(_ row: [String]) {
        rows.append(row)
    }

    /// The table's lines, the headings first.
    var lines: [String] { lines(widths: naturalWidths) }

    /// The table's lines, made to fit by shortening names.
    ///
    /// - Parameters:
    ///   - width: The most characters of a line, as far as shortening allows.
    ///   - columns: The headings of the columns that may be shortened; the widest of them is, each time.
    /// - Returns: The lines, the headings first.
    func lines(fitting width: Int, shortening columns: Set<String>) -> [String] {
        var widths = naturalWidths
        let names = head.indices.filter { columns.contains(head[$0]) }
        while widths.reduce(0, +) + (widths.count - 1) * Self.gap > width {
            guard let longest = names.max(by: { widths[$0] < widths[$1] }), widths[longest] > Self.leastName else {
                break
            }
            widths[longest] -= 1
        }
        return lines(widths: widths)
    }

    private var naturalWidths: [Int] {
        head.indices.map { column in ([head] + rows).map { $0[column].count }.max() ?? 0 }
    }

    private func lines(widths: [Int]) -> [String] {
        ([head] + rows).map { row in
            let cells = row.indices.map { column in
                let text =
                    row[column].count > widths[column] ? row[column].prefix(widths[column] - 1) + "…" : row[column]
                let padding = String(repeating: " ", count: widths[column] - text.count)
                return alignsRight[column] ? padding + text : text + padding
            }
            var line = cells.joined(separator: String(repeating: " ", count: Self.gap))
            while line.last == " " { line.removeLast() }
            return line
        }
    }
}
