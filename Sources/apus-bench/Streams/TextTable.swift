import Foundation

/// A table of texts, in columns for a terminal or in Markdown for the documents.
struct TextTable {
    private var rows: [[String]]

    /// A table without rows.
    init(_ header: [String]) {
        rows = [header]
    }

    /// Adds a row with as many cells as the header has.
    mutating func add(_ row: [String]) {
        precondition(row.count == rows[0].count, "a row has a cell for each column")
        rows.append(row)
    }

    /// The table with aligned columns: the first to the left, the others to the right.
    var plain: String {
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            row.enumerated().map { column, cell in
                column == 0
                    ? cell.padding(toLength: widths[column], withPad: " ", startingAt: 0)
                    : cell.leftPadded(to: widths[column])
            }.joined(separator: "  ")
        }.joined(separator: "\n")
    }

    /// The table as Markdown writes it.
    var markdown: String {
        let lines = rows.map { "| \($0.joined(separator: " | ")) |" }
        let rule = "|" + String(repeating: "---|", count: rows[0].count)
        return ([lines[0], rule] + lines.dropFirst()).joined(separator: "\n")
    }
}
