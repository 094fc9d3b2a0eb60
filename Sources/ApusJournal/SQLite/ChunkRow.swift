import ApusModel
import Foundation
import GRDB

/// A row of the table `chunks`: consecutive tokens of one stream.
struct ChunkRow {
    /// What `init(_ row:)` needs, in its order.
    static let columns = "stream, first, count, seq, checksum, payload"

    /// The index of its first token.
    let first: Int

    /// Its stream.
    let stream: Int64

    /// The log's row up to which the stream's tokens are in it or before it.
    let seq: Int64

    /// Its tokens, one row an attempt.
    let columns: TokenColumns

    /// How many tokens it has.
    var count: Int { columns.tokens }

    /// Reads a row of `columns`.
    ///
    /// - Throws: `JournalDamage` where its checksum does not hold.
    init(_ row: Row) throws {
        let stream = row.integer(0) ?? 0
        let first = row.integer(1) ?? 0
        let count = row.integer(2) ?? 0
        let damage = JournalDamage(
            place: "table chunks, stream \(stream), tokens from \(first) on",
            problem: "its checksum is wrong"
        )
        guard let seq = row.integer(3), let wanted = row.integer(4) else { throw damage }
        let columns = try row.withUnsafeData(atIndex: 5) { data in
            data?.withUnsafeBytes { bytes -> TokenColumns? in
                var offset = 0
                guard Self.checksum(stream, first, count, seq, bytes) == wanted else { return nil }
                return ColumnCodec.decode(bytes, at: &offset)
            }
        }
        guard let columns, columns.tokens == Int(count), columns.epochs.count == columns.rows, first >= 0 else {
            throw damage
        }
        self.first = Int(first)
        self.stream = stream
        self.seq = seq
        self.columns = columns
    }

    private static func checksum(
        _ stream: Int64,
        _ first: Int64,
        _ count: Int64,
        _ seq: Int64,
        _ bytes: UnsafeRawBufferPointer
    ) -> Int64 {
        var sum = Checksum(4)
        sum.add(stream)
        sum.add(first)
        sum.add(count)
        sum.add(seq)
        sum.add(bytes)
        return sum.value
    }

    /// Writes tokens of one stream.
    ///
    /// - Parameters:
    ///   - columns: One row an attempt, without a gap.
    ///   - seq: The log's row of the present turn: tokens up to it are in the chunk or before it.
    ///   - scratch: Memory for the bytes.
    ///   - database: Within a transaction.
    /// - Returns: Bytes that it takes.
    /// - Throws: An error of the database.
    static func insert(
        _ columns: borrowing TokenColumns,
        seq: Int64,
        _ scratch: ByteScratch,
        _ database: Database
    ) throws -> Int {
        scratch.removeAll()
        ColumnCodec.append(columns, to: scratch)
        let stream = Int64(bitPattern: columns.streams[0])
        let first = Int64(columns.firstIndexes[0])
        let count = Int64(columns.tokens)
        try database.cachedStatement(
            sql: "INSERT INTO chunks (stream, first, count, seq, checksum, payload) VALUES (?, ?, ?, ?, ?, ?)"
        ).execute(
            arguments: [
                stream, first, count, seq, checksum(stream, first, count, seq, scratch.bytes), scratch.data,
            ]
        )
        return scratch.count + 48
    }
}
