public import ApusModel
import GRDB

extension SQLiteJournal {
    /// Finds a job, running or ended, that is not forgotten.
    public func find(_ name: JobReference) throws(ApusError) -> KeptJob? {
        let inMemory = try volatile.find(name)
        let kept = try access { database -> KeptJob? in
            let row =
                switch name {
                case .job(let job):
                    try Row.fetchOne(
                        database.cachedStatement(sql: "SELECT \(JobRow.columns) FROM jobs WHERE job = ?"),
                        arguments: [Int64(bitPattern: job.rawValue)]
                    )
                case .key(let key):
                    try Row.fetchOne(
                        database.cachedStatement(
                            sql: "SELECT \(JobRow.columns) FROM jobs WHERE key = ? ORDER BY stream DESC LIMIT 1"
                        ),
                        arguments: [key]
                    )
                }
            return try row.map { try keptJob(JobRow($0), database) }
        }
        guard let inMemory, let kept else { return inMemory ?? kept }
        return inMemory.accepted.stream > kept.accepted.stream ? inMemory : kept
    }

    /// A job with what is known of its streams.
    func keptJob(_ row: JobRow, _ database: Database) throws -> KeptJob {
        let accepted = try row.accepted(clock)
        var streams: [KeptStream] = []
        for number in accepted.streams {
            let stream = StreamID(rawValue: number)
            if let place = live[stream] {
                streams.append(KeptStream(tokens: live.streams[place].count, model: live.streams[place].model))
                continue
            }
            guard let end = try end(of: stream, database) else {
                throw JournalDamage(place: "table ends, stream \(stream)", problem: "the row is missing")
            }
            streams.append(
                KeptStream(
                    tokens: Int(end.tokens),
                    end: try end.streamEnd(),
                    endedAt: clock.moment(end.endedAt),
                    model: try leases(of: stream, database).last?.lease.model
                )
            )
        }
        return KeptJob(accepted: accepted, streams: streams)
    }

    /// Streams that failed or expired and are not forgotten, newest end first.
    public func deadLetters(limit: Int) throws(ApusError) -> [DeadLetter] {
        var letters = volatile.datedLetters(limit: limit)
        try access { database in
            let rows = try Row.fetchCursor(
                database.cachedStatement(
                    sql: """
                        SELECT \(EndRow.columns), (SELECT max(stream) FROM jobs WHERE stream <= ends.stream) FROM ends
                            WHERE reason IN ('failed', 'expired') ORDER BY ended_at DESC, stream DESC LIMIT ?
                        """
                ),
                arguments: [max(0, limit)]
            )
            while let row = try rows.next() {
                let end = try EndRow(row)
                guard let job = row.integer(6) else {
                    throw JournalDamage(place: "table jobs", problem: "the job of stream \(end.stream) is missing")
                }
                letters.append((clock.moment(end.endedAt), try letter(end, job: job, database)))
            }
        }
        letters.sort { ($0.endedAt, $0.letter.stream) > ($1.endedAt, $1.letter.stream) }
        return letters.prefix(max(0, limit)).map(\.letter)
    }

    private func letter(_ end: EndRow, job: Int64, _ database: Database) throws -> DeadLetter {
        let row = try Row.fetchOne(
            database.cachedStatement(sql: "SELECT \(JobRow.columns) FROM jobs WHERE stream = ?"),
            arguments: [job]
        )
        guard let accepted = try row.map({ try JobRow($0).accepted(clock) }) else {
            throw JournalDamage(place: "table jobs, stream \(job)", problem: "the row is missing")
        }
        let stream = StreamID(rawValue: UInt64(bitPattern: end.stream))
        return DeadLetter(
            job: accepted.job,
            stream: stream,
            choice: Int(stream.rawValue - accepted.stream.rawValue),
            key: accepted.key,
            client: accepted.client,
            model: try leases(of: stream, database).last?.lease.model ?? accepted.request.model,
            end: try end.streamEnd(),
            acceptedAt: accepted.acceptedAt
        )
    }

    /// Streams of jobs that ended longer ago than the retention, and where too much is in use of those that ended first.
    public func expired(at now: Timestamp, limit: Int) throws(ApusError) -> [StreamID] {
        refreshFigures()
        let horizon = now + .nanoseconds(-settings.retention.nanoseconds)
        var expired = volatile.ended(before: horizon, limit: limit)
        try access { database in
            let used = try Self.usedBytes(database)
            // Where the limit is passed, a tenth of it becomes free, so that it isn't passed again at once.
            let goal = used > settings.limitBytes ? settings.limitBytes / 10 * 9 : settings.limitBytes
            var excess = Int64(clamping: used) - Int64(clamping: goal)
            let rows = try Row.fetchCursor(
                database.cachedStatement(
                    sql: """
                        SELECT stream, streams, bytes, ended_at FROM jobs WHERE ended_at IS NOT NULL
                            ORDER BY ended_at, stream
                        """
                )
            )
            while expired.count < limit, let row = try rows.next() {
                let values = (0..<4).compactMap { row.integer($0) }
                guard values.count == 4, values[0] >= 0, (1...Int64(Limits.choices)).contains(values[1]) else {
                    throw JournalDamage(place: "table jobs", problem: "a value is missing")
                }
                guard values[3] < clock.kept(horizon) || excess > 0 else { break }
                excess -= values[2]
                expired += (values[0]..<values[0] + values[1]).map { StreamID(rawValue: UInt64($0)) }
            }
        }
        return expired
    }
}
