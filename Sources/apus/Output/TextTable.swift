/// Columns of text, aligned: numbers to the right, the rest to the left.
struct TextTable {
    private let head: [String]
    private let alignsRight: [Bool]
    private var rows: [[String]] = []

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
    var lines: [String] {
        let widths = head.indices.map { column in
            ([head] + rows).map { $0[column].count }.max() ?? 0
        }
        return ([head] + rows).map { row in
            let cells = row.indices.map { column in
                let padding = String(repeating: " ", count: widths[column] - row[column].count)
                return alignsRight[column] ? padding + row[column] : row[column] + padding
            }
            var line = cells.joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            return line
        }
    }
}
