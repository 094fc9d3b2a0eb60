import ApusModel
import GRDB

extension SQLiteJournal {
    /// How many numbers are promised at once: as many jobs may be accepted without a write for it.
    private static let reserved: UInt64 = 1_024

    /// Writes a record and changes the live streams by it.
    func write(_ record: JournalRecord, _ database: Database) throws {
        switch record {
        case .accepted(let accepted): try write(accepted, database)
        case .leased(let lease):
            guard let place = live[lease.stream] else { return turn.volatileRecords.append(record) }
            try LeaseRow(lease, atIndex: live.streams[place].count, clock).insert(database)
            turn.changes.append(.leased(lease.stream, live.streams[place].model))
            live.streams[place].model = lease.model
        case .ended(let stream, let end, let moment):
            guard live[stream] != nil else { return turn.volatileRecords.append(record) }
            try write(stream, end, at: moment, database)
        case .forgotten(let stream):
            let isVolatile =
                volatile.tokens(of: stream) != nil || turn.volatileStreams.contains { $0.contains(stream.rawValue) }
            if isVolatile {
                turn.volatileRecords.append(record)
            } else {
                try forget(stream, database)
            }
        }
    }

    private func write(_ accepted: AcceptedRecord, _ database: Database) throws {
        let highest = accepted.streams.upperBound - 1
        if highest > turn.reservation ?? reservation {
            turn.reservation = highest + Self.reserved
            try database.cachedStatement(sql: "INSERT OR REPLACE INTO meta (name, value) VALUES ('numbers', ?)")
                .execute(arguments: [Int64(bitPattern: highest + Self.reserved)])
        }
        guard accepted.request.durability != .none else {
            turn.volatileRecords.append(.accepted(accepted))
            turn.volatileStreams.append(accepted.streams)
            return
        }
        let row = try JobRow(accepted, clock)
        try row.insert(database)
        let job = accepted.stream.rawValue
        change(job, LiveJob(job: accepted.job, unended: accepted.streams.count, bytes: row.bytes))
        for stream in accepted.streams {
            live.insert(
                LiveStream(stream: StreamID(rawValue: stream), job: job, durability: accepted.request.durability)
            )
        }
        turn.changes.append(.inserted(accepted.streams))
        turn.jobs += 1
    }

    private func write(_ stream: StreamID, _ end: StreamEnd, at moment: Timestamp, _ database: Database) throws {
        guard let removed = live.remove(stream) else { return }
        turn.changes.append(.removed(removed))
        guard var job = live.jobs[removed.job] else { return }
        change(removed.job, job)
        job.bytes += try writeTail(removed, database)
        let endedAt = clock.kept(moment)
        let row = try EndRow(
            stream,
            end,
            job: job.job,
            tokens: removed.count,
            endedAt: endedAt
        )
        try row.insert(database)
        job.bytes += row.end.count + 64
        job.unended -= 1
        tailBytes -= removed.tail.bytes
        live.jobs[removed.job] = job.unended == 0 ? nil : job
        guard job.unended == 0 else { return }
        try database.cachedStatement(sql: "UPDATE jobs SET ended_at = ?, bytes = ? WHERE stream = ?")
            .execute(arguments: [endedAt, job.bytes, Int64(bitPattern: removed.job)])
    }

    private func forget(_ stream: StreamID, _ database: Database) throws {
        let number = Int64(bitPattern: stream.rawValue)
        for sql in [
            "DELETE FROM chunks WHERE stream = ?", "DELETE FROM leases WHERE stream = ?",
            "DELETE FROM ends WHERE stream = ?",
        ] {
            try database.cachedStatement(sql: sql).execute(arguments: [number])
        }
        // The job goes with its last stream.
        try database.cachedStatement(
            sql: """
                DELETE FROM jobs WHERE stream = (SELECT max(stream) FROM jobs WHERE stream <= ?1)
                    AND stream + streams - 1 = ?1
                """
        ).execute(arguments: [number])
        turn.jobs -= database.changesCount
        guard let removed = live.remove(stream) else { return }
        turn.changes.append(.removed(removed))
        tailBytes -= removed.tail.bytes
        guard var job = live.jobs[removed.job] else { return }
        job.unended -= 1
        change(removed.job, job.unended == 0 ? nil : job)
    }

    /// Changes a live job so that it can be taken back.
    private func change(_ number: UInt64, _ job: LiveJob?) {
        turn.changes.append(.job(number, live.jobs[number]))
        live.jobs[number] = job
    }
}
