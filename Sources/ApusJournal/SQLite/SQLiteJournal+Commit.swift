public import ApusModel
import GRDB

extension SQLiteJournal {
    /// Makes the batch durable: one transaction, whole or not at all.
    ///
    /// - Throws: `internalFailure` for tokens that do not come next; `journalUnavailable` where the disk fails, after which the same
    ///   batch is worth another try. Nothing has changed then.
    public func commit(_ batch: JournalBatch) throws(ApusError) {
        turn.begin(tailBytes: tailBytes)
        logScratch.removeAll()
        do {
            for columns in batch.tokens { try append(columns) }
            if logScratch.count > 0 || batch.records.contains(where: isKept) {
                try write(batch.records)
            } else {
                turn.volatileRecords = batch.records
            }
        } catch {
            takeBack()
            throw ApusError(error)
        }
        settle()
        for record in turn.volatileRecords {
            // Only tokens can be refused, and those are appended already.
            try volatile.commit(JournalBatch(tokens: [], records: [record]))
        }
        commits += 1
        if commits % 256 == 0 { refreshFigures() }
    }

    /// Whether a record changes the database.
    private func isKept(_ record: JournalRecord) -> Bool {
        switch record {
        case .accepted(let accepted):
            accepted.request.durability != .none || accepted.streams.upperBound > reservation + 1
        case .leased(let lease): live[lease.stream] != nil
        case .ended(let stream, _, _): live[stream] != nil
        case .forgotten(let stream): volatile.tokens(of: stream) == nil
        }
    }

    /// Appends tokens to their streams' tails and to the log's bytes.
    private func append(_ columns: borrowing TokenColumns) throws(ApusError) {
        // One access to each of the journal's parts for all rows: checking one for each token costs more than the token.
        let released = try Self.append(columns, &live, &turn, &tailBytes, settings)
        if released == columns.rows {
            ColumnCodec.append(columns, to: logScratch)
        } else {
            try appendMixed(columns, hasReleased: released > 0)
        }
    }

    /// Appends tokens to their streams' tails, and returns how many rows belong to the log.
    private static func append(
        _ columns: borrowing TokenColumns,
        _ live: inout LiveStreams,
        _ turn: inout JournalTurn,
        _ tailBytes: inout Int,
        _ settings: JournalSettings
    ) throws(ApusError) -> Int {
        let chunkTokens = live.count > settings.crowd ? settings.crowdedChunkTokens : settings.chunkTokens
        turn.kinds.removeAll(keepingCapacity: true)
        var (token, byte, detail, released) = (0, 0, 0, 0)
        let hasEpochs = !columns.epochs.isEmpty
        for row in 0..<columns.rows {
            let stream = StreamID(rawValue: columns.streams[row])
            let tokens = token..<token + Int(columns.counts[row])
            token = tokens.upperBound
            guard let place = live[stream] else {
                turn.kinds.append(.volatile)
                for place in tokens { byte += Int(columns.textLengths[place]) }
                detail += columns.detailBytes(of: tokens)
                continue
            }
            guard live.streams[place].count == Int(columns.firstIndexes[row]) else {
                throw ApusError(.internalFailure, "tokens of stream \(stream) do not follow what the journal holds")
            }
            turn.marks.append((place, live.streams[place].tail.count))
            let before = byte + detail
            live.streams[place].append(
                columns,
                tokens: tokens,
                epoch: hasEpochs ? columns.epochs[row] : 0,
                byte: &byte,
                detail: &detail
            )
            tailBytes += byte + detail - before + tokens.count * 8
            let isReleased = live.streams[place].durability == .released
            turn.kinds.append(isReleased ? .released : .accepted)
            guard isReleased else { continue }
            released += 1
            if live.streams[place].isLong(tokens: chunkTokens, bytes: settings.chunkBytes) { turn.flush(place, &live) }
        }
        return released
    }

    private func appendMixed(_ columns: borrowing TokenColumns, hasReleased: Bool) throws(ApusError) {
        if hasReleased {
            ColumnCodec.append(columns.rows { turn.kinds[$0] == .released }, to: logScratch)
        }
        guard turn.kinds.contains(.volatile) else { return }
        let rest = columns.rows { turn.kinds[$0] == .volatile }
        for stream in rest.streams.lazy.map({ StreamID(rawValue: $0) }) {
            turn.volatileMarks.append((stream, volatile.tokens(of: stream) ?? 0))
        }
        try volatile.append(rest)
    }

    private func write(_ records: [JournalRecord]) throws {
        if isSuspect {
            try queue.inDatabase { try $0.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)") }
            isSuspect = false
        }
        flushOldest()
        do {
            try queue.inTransaction(.immediate) { database in
                if logScratch.count > 0 { try LogRow.insert(log.next, logScratch, database) }
                for record in records { try write(record, database) }
                for stream in turn.flushed {
                    // A stream that ended in this turn is in chunks already.
                    guard let place = live[stream] else { continue }
                    turn.grown.append((live.streams[place].job, try writeTail(live.streams[place], database)))
                }
                try trim(database)
                return .commit
            }
        } catch {
            isSuspect = true
            throw error
        }
    }

    /// Where the log has become too long, the tails that hold its oldest rows become short chunks: as many a turn as keep the log
    /// bounded, so that no turn has to do much.
    private func flushOldest() {
        let excess = max(
            Double(log.rows) / Double(settings.logRows),
            Double(log.bytes) / Double(settings.logBytes)
        )
        guard excess > 1 else { return }
        let limit = max(64, excess > 2 ? turn.marks.count : turn.marks.count / 4)
        for stream in log.oldestTails(limit, of: live) {
            if let place = live[stream] { turn.flush(place, &live) }
        }
    }

    private func trim(_ database: Database) throws {
        let floor = log.floor(of: live)
        guard floor > log.first else { return }
        guard floor - log.first >= settings.trimRows || log.bytes(before: floor) >= settings.trimBytes else { return }
        try database.cachedStatement(sql: "DELETE FROM log WHERE seq < ?").execute(arguments: [floor])
        turn.trimmed = floor
    }

    /// Writes what is in memory of a stream as chunks.
    ///
    /// - Returns: Bytes that they take.
    func writeTail(_ stream: borrowing LiveStream, _ database: Database) throws -> Int {
        let seq = logScratch.count > 0 ? log.next : log.next - 1
        var (first, bytes) = (0, 0)
        while first < stream.tail.count {
            let end = stream.tail.endOfPiece(from: first, tokens: settings.pieceTokens, bytes: settings.pieceBytes)
            columns.removeAll()
            stream.copy(first..<end, into: &columns)
            bytes += try ChunkRow.insert(columns, seq: seq, chunkScratch, database)
            first = end
        }
        return bytes
    }

    /// The transaction is through.
    private func settle() {
        let isCrowded = live.count > settings.crowd
        let seq = log.next
        if let trimmed = turn.trimmed { log.removed(before: trimmed) }
        for stream in turn.flushed {
            guard let place = live[stream] else { continue }
            tailBytes -= live.streams[place].tail.bytes
            live.streams[place].tailStored(keepingMemory: !isCrowded)
            live.streams[place].isFlushed = false
        }
        if logScratch.count > 0 {
            log.appended(logScratch.count)
            turn.noteTails(seq, &live, &log)
        }
        for (job, bytes) in turn.grown { live.jobs[job]?.bytes += bytes }
        if let reserved = turn.reservation { reservation = reserved }
        keptJobs += turn.jobs
    }

    /// The transaction failed: memory becomes what it was.
    private func takeBack() {
        for change in turn.changes.reversed() {
            switch change {
            case .inserted(let streams):
                for stream in streams.reversed() { _ = live.remove(StreamID(rawValue: stream)) }
            case .leased(let stream, let model):
                if let place = live[stream] { live.streams[place].model = model }
            case .removed(let stream): live.insert(stream)
            case .job(let number, let job): live.jobs[number] = job
            }
        }
        for mark in turn.marks.reversed() { live.streams[mark.place].truncateTail(to: mark.tokens) }
        for mark in turn.volatileMarks.reversed() { volatile.truncate(mark.stream, to: mark.tokens) }
        for stream in turn.flushed {
            if let place = live[stream] { live.streams[place].isFlushed = false }
        }
        tailBytes = turn.tailBytes
    }
}
