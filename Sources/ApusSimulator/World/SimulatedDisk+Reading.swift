import ApusCore
import ApusModel

/// Tokens and jobs, read back from a simulated disk.
extension SimulatedDisk {
    /// So many tokens of a stream can be read.
    func count(of stream: StreamID) -> Int {
        guard let last = lastPiece(of: stream) else { return 0 }
        return Int(pieces[last].firstIndex + pieces[last].count)
    }

    /// Reads the vocabulary numbers of a stream's first tokens.
    ///
    /// - Returns: `count` numbers, or `nil` where the disk does not hold them.
    func history(of stream: StreamID, count: Int) -> [Int32]? {
        guard count > 0 else { return [] }
        guard count <= self.count(of: stream) else { return nil }
        return [Int32](unsafeUninitializedCapacity: count) { buffer, filled in
            forEachPiece(of: stream, in: 0..<count) { piece, range in
                let ids = batches[Int(piece.batch)].tokens[Int(piece.columns)].ids
                for index in range {
                    buffer[index] = ids[Int(piece.firstToken) + index - Int(piece.firstIndex)]
                }
            }
            filled = count
        }
    }

    /// Reads tokens of a stream as one row.
    ///
    /// - Returns: Whether the disk holds them.
    func read(_ stream: StreamID, _ range: Range<Int>, into columns: inout TokenColumns) -> Bool {
        guard range.lowerBound >= 0, range.upperBound <= count(of: stream) else { return false }
        var found: [(piece: Piece, range: Range<Int>)] = []
        forEachPiece(of: stream, in: range) { found.append(($0, $1)) }
        columns.streams.append(stream.rawValue)
        columns.firstIndexes.append(UInt64(range.lowerBound))
        columns.counts.append(UInt32(range.count))
        for (piece, range) in found.reversed() {
            let source = batches[Int(piece.batch)].tokens[Int(piece.columns)]
            var token = Int(piece.firstToken)
            var byte = Int(piece.firstByte)
            for index in Int(piece.firstIndex)..<range.upperBound {
                let length = Int(source.textLengths[token])
                if index >= range.lowerBound {
                    columns.ids.append(source.ids[token])
                    columns.textLengths.append(UInt32(length))
                    for place in byte..<byte + length { columns.text.append(source.text[place]) }
                }
                token += 1
                byte += length
            }
            guard source.hasDetails else { continue }
            let before = Int(piece.firstToken)..<Int(piece.firstToken) + range.lowerBound - Int(piece.firstIndex)
            let tokens = before.upperBound..<before.upperBound + range.count
            let first = Int(piece.firstDetail) + source.detailBytes(of: before)
            columns.appendDetails(of: source, tokens: tokens, bytes: first..<first + source.detailBytes(of: tokens))
        }
        return true
    }

    private func lastPiece(of stream: StreamID) -> Int? {
        guard stream.rawValue < UInt64(streams.count) else { return nil }
        let last = streams[Int(stream.rawValue)].lastPiece
        return last < 0 ? nil : Int(last)
    }

    /// Visits the pieces of a range from its end to its beginning.
    private func forEachPiece(of stream: StreamID, in range: Range<Int>, _ body: (Piece, Range<Int>) -> Void) {
        var place = lastPiece(of: stream) ?? -1
        while place >= 0 {
            let piece = pieces[place]
            let first = Int(piece.firstIndex)
            let common = range.clamped(to: first..<first + Int(piece.count))
            if !common.isEmpty { body(piece, common) }
            if first <= range.lowerBound { return }
            place = Int(piece.previous)
        }
    }

    // MARK: - Jobs

    /// A job as it is found again.
    struct FoundJob {
        /// Its acceptance; the large parts of the request are gone where all of its streams ended well.
        var accepted: AcceptedRecord

        /// The digest of the large parts, whether they are gone or not.
        let bulkDigest: UInt64

        /// Its streams in the order of the choices, and how each ended.
        let tokens: [Int]
        let ends: [StreamEnd?]
    }

    /// Finds a job by its name.
    func find(_ job: JobID) -> FoundJob? { jobPlaces[job].flatMap(found) }

    /// Finds the newest job that a key belongs to.
    func find(key: String) -> FoundJob? { keyPlaces[key].flatMap(found) }

    private func found(_ place: Int) -> FoundJob? {
        guard var accepted = acceptance(of: jobs[place]) else { return nil }
        let ends = accepted.streams.map { end(of: StreamID(rawValue: $0)) }
        let digest = accepted.request.bulkDigest
        if ends.allSatisfy({ $0?.reason.isSuccess == true }) { accepted.request.removeBulk() }
        let tokens = accepted.streams.map { count(of: StreamID(rawValue: $0)) }
        return FoundJob(accepted: accepted, bulkDigest: digest, tokens: tokens, ends: ends)
    }

    /// How a stream ended.
    func end(of stream: StreamID) -> StreamEnd? {
        guard stream.rawValue < UInt64(streams.count), streams[Int(stream.rawValue)].endBatch >= 0 else { return nil }
        let kept = streams[Int(stream.rawValue)]
        guard case .ended(_, let end, _) = batches[Int(kept.endBatch)].records[Int(kept.endRecord)] else { return nil }
        return end
    }

    /// Streams of ended jobs that have been kept for long enough, oldest first and jobs whole.
    mutating func expired(at now: Timestamp, retention: Duration, limit: Int) -> [StreamID] {
        var found: [StreamID] = []
        for place in keptEnded() {
            guard now - jobs[place].endedAt > retention, found.count < limit else { break }
            guard !jobs[place].isForgotten else { continue }
            found += jobs[place].streams.map { StreamID(rawValue: $0) }
        }
        return found
    }

    /// What a new coordinator is told: everything, or only the jobs that have not ended.
    func recoverable(withEnded: Bool) -> [SimulatedBatch] {
        guard !withEnded else { return batches }
        let isTold = { (stream: UInt64) in
            guard stream < UInt64(streams.count), streams[Int(stream)].job >= 0 else { return false }
            return jobs[Int(streams[Int(stream)].job)].unended > 0
        }
        return batches.map { batch in
            var told = SimulatedBatch(tokens: [], records: [])
            for columns in batch.tokens {
                let rows = columns.rows(where: isTold)
                if !rows.isEmpty { told.tokens.append(rows) }
            }
            for record in batch.records where isTold(record.firstStream) { told.records.append(record) }
            return told
        }
    }
}

extension TokenColumns {
    /// Columns with some of the rows.
    func rows(where isWanted: (UInt64) -> Bool) -> TokenColumns {
        if streams.allSatisfy(isWanted) { return self }
        var wanted = TokenColumns()
        var token = 0
        var byte = 0
        for row in 0..<rows {
            let part = TokenPart(self, row: row, token: token, byte: byte)
            token = part.tokens.upperBound
            byte = part.bytes.upperBound
            guard isWanted(streams[row]) else { continue }
            wanted.streams.append(streams[row])
            if !epochs.isEmpty { wanted.epochs.append(epochs[row]) }
            wanted.firstIndexes.append(firstIndexes[row])
            wanted.counts.append(counts[row])
            wanted.ids += ids[part.tokens]
            wanted.textLengths += textLengths[part.tokens]
            wanted.text += text[part.bytes]
            let first = detailBytes(of: 0..<part.tokens.lowerBound)
            wanted.appendDetails(of: self, tokens: part.tokens, bytes: first..<first + detailBytes(of: part.tokens))
        }
        return wanted
    }
}
