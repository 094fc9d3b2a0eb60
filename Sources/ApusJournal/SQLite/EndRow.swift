import ApusModel
import ApusProtocol
import Foundation
import GRDB
import SwiftProtobuf

/// A row of the table `ends`: how a stream ended.
struct EndRow {
    /// What `init(_ row:)` needs, in its order.
    static let columns = "stream, reason, ended_at, tokens, outcome, checksum"

    /// The stream's number.
    let stream: Int64
    let reason: String

    /// In nanoseconds since 1970.
    let endedAt: Int64

    /// The stream's committed tokens.
    let tokens: Int64

    /// The end's wire form.
    let end: Data

    /// The row of an end.
    init(_ stream: StreamID, _ end: StreamEnd, job: JobID, tokens: Int, endedAt: Int64) throws {
        self.stream = Int64(bitPattern: stream.rawValue)
        reason = end.reason.rawValue
        self.endedAt = endedAt
        self.tokens = Int64(tokens)
        self.end = try Apus_V1_Finished(stream: stream, job: job, end: end).serializedBytes()
    }

    /// Reads a row of `columns`, of which the first is at a place.
    ///
    /// - Throws: `JournalDamage` where its checksum does not hold.
    init(_ row: Row, at first: Int = 0) throws {
        let place = "table ends, stream \(row.integer(first) ?? 0)"
        guard let stream = row.integer(first), let reason = row.text(first + 1), let endedAt = row.integer(first + 2),
            let tokens = row.integer(first + 3), let end = row.bytes(first + 4)
        else { throw JournalDamage(place: place, problem: "a value is missing") }
        self.stream = stream
        self.reason = reason
        self.endedAt = endedAt
        self.tokens = tokens
        self.end = end
        guard checksum == row.integer(first + 5), tokens >= 0 else {
            throw JournalDamage(place: place, problem: "its checksum is wrong")
        }
    }

    /// How the stream ended.
    ///
    /// - Throws: `JournalDamage` where it can't be read.
    func streamEnd() throws -> StreamEnd {
        do {
            return StreamEnd(try Apus_V1_Finished(serializedBytes: end))
        } catch {
            throw JournalDamage(place: "table ends, stream \(stream)", problem: "it can't be read: \(error)")
        }
    }

    private var checksum: Int64 {
        var sum = Checksum(3)
        for number in [stream, endedAt, tokens] { sum.add(number) }
        sum.add(reason)
        end.withUnsafeBytes { sum.add($0) }
        return sum.value
    }

    /// Writes the row.
    func insert(_ database: Database) throws {
        try database.cachedStatement(
            sql: "INSERT INTO ends (stream, reason, ended_at, tokens, outcome, checksum) VALUES (?, ?, ?, ?, ?, ?)"
        ).execute(arguments: [stream, reason, endedAt, tokens, end, checksum])
    }
}
