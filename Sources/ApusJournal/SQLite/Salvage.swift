import GRDB

/// Reads a table's rows past pages that can't be read.
enum Salvage {
    /// Visits rows, nearly by rising numbers; each has its number behind its columns.
    ///
    /// - Parameters:
    ///   - table: The table.
    ///   - columns: What is read of each row.
    ///   - database: The damaged database.
    ///   - body: Receives each row that can be read; its errors end the visit.
    /// - Returns: Row numbers between which rows could not be read.
    /// - Throws: What `body` throws.
    static func each(
        _ table: String,
        _ columns: String,
        _ database: Database,
        _ body: (Row) throws -> Void
    ) throws -> [ClosedRange<Int64>] {
        var lost: [ClosedRange<Int64>] = []
        var last = Int64.min
        while true {
            let isWhole = try visit("rowid > \(last) ORDER BY rowid", table, columns, database) { row in
                last = row.integer(row.count - 1) ?? last
                try body(row)
            }
            guard !isWhole else { return lost }
            guard let next = nextReadable(table, after: last, database) else {
                lost.append(last...Int64.max)
                return lost
            }
            // What lies between is read from the other side, as far as that goes.
            var upper = next
            _ = try visit("rowid > \(last) AND rowid < \(next) ORDER BY rowid DESC", table, columns, database) { row in
                upper = row.integer(row.count - 1) ?? upper
                try body(row)
            }
            lost.append(last...upper)
            last = next - 1
        }
    }

    /// Visits rows until one can't be read.
    private static func visit(
        _ condition: String,
        _ table: String,
        _ columns: String,
        _ database: Database,
        _ body: (Row) throws -> Void
    ) throws -> Bool {
        let sql = "SELECT \(columns), rowid FROM \(table) WHERE \(condition)"
        guard let rows = try? Row.fetchCursor(database, sql: sql) else { return false }
        while true {
            let row: Row?
            do { row = try rows.next() } catch { return false }
            guard let row else { return true }
            try body(row)
        }
    }

    /// The first row behind a gap that can be found again, looked for in growing steps.
    private static func nextReadable(_ table: String, after last: Int64, _ database: Database) -> Int64? {
        var step: Int64 = 1
        let start = max(last, 0)
        while true {
            let (target, overflow) = start.addingReportingOverflow(step)
            guard !overflow else { return nil }
            let sql = "SELECT rowid FROM \(table) WHERE rowid > \(target) ORDER BY rowid LIMIT 1"
            do {
                return try Int64.fetchOne(database, sql: sql)
            } catch {
                // The gap goes further.
                step = step.multipliedReportingOverflow(by: 2).partialValue
                guard step > 0 else { return nil }
            }
        }
    }
}
