public import ApusModel
import GRDB

extension SQLiteJournal {
    /// Reads tokens of a stream, running or ended, from memory or its chunks.
    public func read(_ stream: StreamID, _ range: Range<Int>, into columns: inout TokenColumns) throws(ApusError) {
        if volatile.tokens(of: stream) != nil { return try volatile.read(stream, range, into: &columns) }
        let place = live[stream]
        let committed = try tokens(of: stream)
        guard range.lowerBound >= 0, range.upperBound <= committed else {
            throw ApusError(.internalFailure, "the journal does not hold tokens \(range) of stream \(stream)")
        }
        guard !range.isEmpty else { return }
        let stored = place.map { live.streams[$0].stored } ?? .max
        guard range.lowerBound < stored else {
            guard let place else { return }
            appendRow(stream, range, to: &columns)
            return live.streams[place].tail.readTokens(
                range.lowerBound - stored..<range.upperBound - stored,
                into: &columns
            )
        }
        var tokens = TokenColumns()
        try access { database in
            let part = range.lowerBound..<min(stored, range.upperBound)
            try eachChunk(of: stream, part, database) { chunk in
                let places = (chunk.first..<chunk.first + chunk.count).clamped(to: part)
                tokens.appendTokens(
                    places.lowerBound - chunk.first..<places.upperBound - chunk.first,
                    of: chunk.columns
                )
            }
        }
        if let place, range.upperBound > stored {
            live.streams[place].tail.readTokens(0..<range.upperBound - stored, into: &tokens)
        }
        appendRow(stream, range, to: &columns)
        columns.appendTokens(0..<range.count, of: tokens)
    }

    private func appendRow(_ stream: StreamID, _ range: Range<Int>, to columns: inout TokenColumns) {
        columns.streams.append(stream.rawValue)
        columns.firstIndexes.append(UInt64(range.lowerBound))
        columns.counts.append(UInt32(range.count))
    }

    /// Reads the vocabulary numbers of a stream's tokens from index 0.
    public func history(of stream: StreamID, count: Int) throws(ApusError) -> [Int32] {
        if volatile.tokens(of: stream) != nil { return try volatile.history(of: stream, count: count) }
        let committed = try tokens(of: stream)
        guard count >= 0, count <= committed else {
            throw ApusError(.internalFailure, "the journal does not hold \(count) tokens of stream \(stream)")
        }
        let place = live[stream]
        let stored = min(count, place.map { live.streams[$0].stored } ?? .max)
        var ids: [Int32] = []
        ids.reserveCapacity(count)
        if stored > 0 {
            try access { database in
                try eachChunk(of: stream, 0..<stored, database) { chunk in
                    ids.append(contentsOf: chunk.columns.ids.prefix(stored - chunk.first))
                }
            }
        }
        if let place { ids.append(contentsOf: live.streams[place].tail.ids.prefix(count - stored)) }
        return ids
    }

    /// The number of a kept stream's committed tokens.
    private func tokens(of stream: StreamID) throws(ApusError) -> Int {
        if let place = live[stream] { return live.streams[place].count }
        let ended = try access { database in
            try Int.fetchOne(
                database.cachedStatement(sql: "SELECT tokens FROM ends WHERE stream = ?"),
                arguments: [Int64(bitPattern: stream.rawValue)]
            )
        }
        guard let ended else { throw ApusError(.internalFailure, "the journal does not hold stream \(stream)") }
        return ended
    }

    /// Visits the chunks that hold a range of a stream's tokens, in order.
    ///
    /// - Throws: `JournalDamage` for a chunk that is damaged or missing.
    func eachChunk(
        of stream: StreamID,
        _ range: Range<Int>,
        _ database: Database,
        _ body: (ChunkRow) throws -> Void
    ) throws {
        let number = Int64(bitPattern: stream.rawValue)
        let statement = try database.cachedStatement(
            sql: """
                SELECT \(ChunkRow.columns) FROM chunks WHERE stream = ?1 AND first < ?3
                    AND first >= coalesce((SELECT max(first) FROM chunks WHERE stream = ?1 AND first <= ?2), 0)
                    ORDER BY first
                """
        )
        let rows = try Row.fetchCursor(statement, arguments: [number, range.lowerBound, range.upperBound])
        var next: Int?
        while let row = try rows.next() {
            let chunk = try ChunkRow(row)
            guard chunk.first == next ?? min(chunk.first, range.lowerBound) else {
                throw Self.missing(stream, (next ?? 0)..<chunk.first)
            }
            next = chunk.first + chunk.count
            try body(chunk)
        }
        let reached = next ?? range.lowerBound
        guard reached >= range.upperBound else { throw Self.missing(stream, reached..<range.upperBound) }
    }

    private static func missing(_ stream: StreamID, _ range: Range<Int>) -> JournalDamage {
        JournalDamage(place: "table chunks, stream \(stream)", problem: "tokens \(range) are missing")
    }
}

extension TokenColumns {
    /// Bytes of the texts before a token.
    private func textBytes(before token: Int) -> Int {
        var bytes = 0
        for place in 0..<token { bytes += Int(textLengths[place]) }
        return bytes
    }

    /// Appends tokens of other columns without a row: that is the caller's.
    mutating func appendTokens(_ range: Range<Int>, of other: borrowing TokenColumns) {
        let byte = other.textBytes(before: range.lowerBound)
        var bytes = 0
        for place in range { bytes += Int(other.textLengths[place]) }
        let detail = other.detailBytes(of: 0..<range.lowerBound)
        ids.append(contentsOf: other.ids[range])
        textLengths.append(contentsOf: other.textLengths[range])
        text.append(contentsOf: other.text[byte..<byte + bytes])
        appendDetails(of: other, tokens: range, bytes: detail..<detail + other.detailBytes(of: range))
    }
}
