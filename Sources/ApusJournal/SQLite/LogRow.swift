import ApusModel
import Foundation
import GRDB

/// A row of the table `log`: the tokens of one turn.
struct LogRow {
    /// What `init(_ row:)` needs, in its order.
    static let columns = "seq, checksum, payload"

    /// Its number.
    let seq: Int64

    /// What it takes on disk.
    let bytes: Int

    /// Its tokens, as the turn had them.
    let tokens: [TokenColumns]

    /// Reads a row of `columns`.
    ///
    /// - Throws: `JournalDamage` where its checksum does not hold.
    init(_ row: Row) throws {
        let seq = row.integer(0) ?? 0
        let damage = JournalDamage(place: "table log, row \(seq)", problem: "its checksum is wrong")
        let wanted = row.integer(1)
        var size = 0
        let tokens = try row.withUnsafeData(atIndex: 2) { data in
            data?.withUnsafeBytes { bytes -> [TokenColumns]? in
                guard Self.checksum(seq, bytes) == wanted else { return nil }
                var tokens: [TokenColumns] = []
                var offset = 0
                while offset < bytes.count {
                    guard let columns = ColumnCodec.decode(bytes, at: &offset) else { return nil }
                    tokens.append(columns)
                }
                size = bytes.count
                return tokens
            }
        }
        guard let tokens else { throw damage }
        self.seq = seq
        self.tokens = tokens
        bytes = size
    }

    private static func checksum(_ seq: Int64, _ bytes: UnsafeRawBufferPointer) -> Int64 {
        var sum = Checksum(5)
        sum.add(seq)
        sum.add(bytes)
        return sum.value
    }

    /// Writes a turn's tokens.
    static func insert(_ seq: Int64, _ scratch: ByteScratch, _ database: Database) throws {
        try database.cachedStatement(sql: "INSERT INTO log (seq, checksum, payload) VALUES (?, ?, ?)")
            .execute(arguments: [seq, checksum(seq, scratch.bytes), scratch.data])
    }
}
