public import ApusModel
import ApusProtocol
import GRDB

extension SQLiteJournal {
    /// Tells the jobs with a stream that has not ended, and takes their last tokens into memory.
    ///
    /// The log and all rows of these jobs are read and checked; jobs that ended are not looked at.
    public func recover(_ tell: (JournalFact) -> Void) throws(ApusError) -> UInt64 {
        try access { database in
            try database.inTransaction(.immediate) {
                try beginAnew(database)
                return .commit
            }
            try findLive(database)
            try recoverLog(database)
            let rows = try Row.fetchCursor(
                database,
                sql: "SELECT \(JobRow.columns), bytes FROM jobs WHERE ended_at IS NULL ORDER BY stream"
            )
            while let row = try rows.next() {
                try recover(JobRow(row), bytes: Int(row.integer(13) ?? 0), database, tell)
            }
        }
        return reservation
    }

    /// Streams whose tokens were in memory only have none now, and begin again behind their former attempts.
    private func beginAnew(_ database: Database) throws {
        let streams = try Int64.fetchAll(
            database,
            sql: """
                SELECT DISTINCT leases.stream FROM jobs
                    JOIN leases ON leases.stream >= jobs.stream AND leases.stream < jobs.stream + jobs.streams
                    WHERE ended_at IS NULL AND durability = \(Durability.accepted.wireNumber) AND at_index > 0
                        AND NOT EXISTS (SELECT 1 FROM ends WHERE ends.stream = leases.stream)
                """
        )
        for stream in streams {
            let leases = try leases(of: StreamID(rawValue: UInt64(bitPattern: stream)), database)
            try database.execute(sql: "DELETE FROM leases WHERE stream = ?", arguments: [stream])
            for lease in leases { try lease.moved(to: 0).insert(database) }
        }
    }

    /// Takes in the streams that have not ended, without their tails.
    private func findLive(_ database: Database) throws {
        let jobs = try Row.fetchCursor(
            database,
            sql: "SELECT stream, streams, durability FROM jobs WHERE ended_at IS NULL ORDER BY stream"
        )
        while let row = try jobs.next() {
            guard let job = row.integer(0), let streams = row.integer(1), job >= 0, job < .max - 16,
                (1...Int64(Limits.choices)).contains(streams),
                let durability = row.integer(2).flatMap({ Durability(wireNumber: UInt32(clamping: $0)) })
            else {
                throw JournalDamage(place: "table jobs, stream \(row.integer(0) ?? 0)", problem: "a value is missing")
            }
            for number in job..<job + streams {
                let stream = StreamID(rawValue: UInt64(number))
                if streams > 1, try end(of: stream, database) != nil { continue }
                var found = LiveStream(stream: stream, job: UInt64(job), durability: durability)
                found.stored =
                    try Int.fetchOne(
                        database.cachedStatement(
                            sql: "SELECT first + count FROM chunks WHERE stream = ? ORDER BY first DESC LIMIT 1"
                        ),
                        arguments: [number]
                    ) ?? 0
                live.insert(found)
            }
        }
    }

    /// Reads the log into the streams' tails.
    private func recoverLog(_ database: Database) throws {
        let rows = try Row.fetchCursor(database, sql: "SELECT \(LogRow.columns) FROM log ORDER BY seq")
        var expected: Int64?
        while let row = try rows.next() {
            let turn = try LogRow(row)
            if let expected, turn.seq != expected {
                throw JournalDamage(place: "table log", problem: "rows \(expected) to \(turn.seq - 1) are missing")
            }
            expected = turn.seq + 1
            log.found(turn.seq, turn.bytes)
            for columns in turn.tokens { try recover(columns, seq: turn.seq) }
        }
        let last = try Int64.fetchOne(database, sql: "SELECT seq FROM chunks ORDER BY id DESC LIMIT 1")
        log.start(after: last ?? 0)
    }

    private func recover(_ columns: TokenColumns, seq: Int64) throws {
        var (token, byte, detail) = (0, 0, 0)
        for row in 0..<columns.rows {
            let tokens = token..<token + Int(columns.counts[row])
            token = tokens.upperBound
            let stream = StreamID(rawValue: columns.streams[row])
            let end = columns.firstIndexes[row] &+ UInt64(columns.counts[row])
            // Tokens of streams that ended, and such as are in a chunk by now.
            guard let place = live[stream], live.streams[place].durability == .released,
                end > UInt64(live.streams[place].count)
            else {
                for place in tokens { byte += Int(columns.textLengths[place]) }
                detail += columns.detailBytes(of: tokens)
                continue
            }
            guard columns.firstIndexes[row] == UInt64(live.streams[place].count) else {
                throw JournalDamage(
                    place: "table log, row \(seq)",
                    problem: "tokens of stream \(stream) before \(columns.firstIndexes[row]) are missing"
                )
            }
            let before = byte + detail
            live.streams[place].append(
                columns,
                tokens: tokens,
                epoch: columns.epochs.isEmpty ? 0 : columns.epochs[row],
                byte: &byte,
                detail: &detail
            )
            tailBytes += byte + detail - before + tokens.count * 8
            guard live.streams[place].tailSeq == 0 else { continue }
            live.streams[place].tailSeq = seq
            log.began(stream, seq)
        }
    }

    private func recover(_ row: JobRow, bytes: Int, _ database: Database, _ tell: (JournalFact) -> Void) throws {
        let accepted = try row.accepted(clock)
        tell(.record(.accepted(accepted)))
        var job = LiveJob(job: accepted.job, unended: 0, bytes: bytes)
        for number in accepted.streams {
            let stream = StreamID(rawValue: number)
            let place = live[stream]
            let end = place == nil ? try end(of: stream, database) : nil
            let leases = try leases(of: stream, database)
            var teller = StreamTeller(stream: stream, leases: leases, clock: clock)
            let stored = place.map { live.streams[$0].stored } ?? Int(end?.tokens ?? 0)
            if stored > 0 {
                try eachChunk(of: stream, 0..<stored, database) { chunk in
                    for row in 0..<chunk.columns.rows {
                        teller.tell(EpochRun(epoch: chunk.columns.epochs[row], count: chunk.columns.counts[row]), tell)
                    }
                }
            }
            if let place {
                for run in live.streams[place].runs { teller.tell(run, tell) }
                live.streams[place].model = leases.last?.lease.model
                job.unended += 1
            }
            teller.finish(tell)
            if let end {
                tell(.record(.ended(stream, try end.streamEnd(), at: clock.moment(end.endedAt))))
                job.bytes += end.end.count + 64
            }
        }
        live.jobs[accepted.stream.rawValue] = job
    }

    /// How a stream ended; `nil` where it has not.
    func end(of stream: StreamID, _ database: Database) throws -> EndRow? {
        try Row.fetchOne(
            database.cachedStatement(sql: "SELECT \(EndRow.columns) FROM ends WHERE stream = ?"),
            arguments: [Int64(bitPattern: stream.rawValue)]
        ).map { try EndRow($0) }
    }

    /// The attempts of a stream, in order.
    func leases(of stream: StreamID, _ database: Database) throws -> [LeaseRow] {
        let statement = try database.cachedStatement(
            sql: "SELECT \(LeaseRow.columns) FROM leases WHERE stream = ? ORDER BY epoch"
        )
        let rows = try Row.fetchCursor(statement, arguments: [Int64(bitPattern: stream.rawValue)])
        var leases: [LeaseRow] = []
        while let row = try rows.next() { leases.append(try LeaseRow(row)) }
        return leases
    }
}
