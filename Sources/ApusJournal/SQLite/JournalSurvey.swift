import ApusModel
import ApusProtocol
import GRDB

/// All that can be read of a journal, with what is wrong and what each stream loses by it.
///
/// Every row is read once; rows that are whole are passed on. Of streams that have not ended the last tokens, which are in the log
/// only, are kept in memory, as the journal itself does.
struct JournalSurvey {
    /// What is known of a stream.
    struct Stream {
        /// Its committed tokens, where it ended.
        var endedTokens: Int64?
        var endedAt: Int64 = 0

        /// Its chunks: first tokens, counts, and the log's rows that they reach to.
        var chunks: [(first: Int, count: Int, seq: Int64)] = []

        /// Whether a row of it is damaged.
        var isDamaged = false
        var lostLease = false

        /// Its last tokens; `nil` where it ended or its tokens aren't logged.
        var tail: LiveStream?

        /// The last row of the log that has tokens of it.
        var lastSeq: Int64 = 0

        /// What becomes of it by a repair; `nil` where it is whole.
        var outcome: JournalReport.Outcome?
    }

    /// Receives the rows that are whole.
    struct Receiver {
        var job: (JobRow) throws -> Void = { _ in }
        var lease: (LeaseRow) throws -> Void = { _ in }
        var end: (EndRow) throws -> Void = { _ in }
        var chunk: (ChunkRow) throws -> Void = { _ in }
    }

    private(set) var report = JournalReport()

    /// Jobs that are whole, by their first streams.
    private(set) var jobs: [UInt64: (job: UInt64, streams: Range<UInt64>, durability: Int64, endedAt: Int64?)] = [:]
    private(set) var streams: [UInt64: Stream] = [:]

    /// The highest stream number that is known to have been promised.
    private(set) var highest: UInt64 = 0
    private var lostEnds = false
    private var lostChunks = false
    private var lostLeases = false

    /// The last row of the log that is lost; 0 where none is.
    private var lostLog: Int64 = 0
    private var lostTransactions = false

    /// Surveys a database.
    ///
    /// - Parameters:
    ///   - database: Opened to read.
    ///   - wal: What is wrong with its write-ahead log, so that transactions are missing.
    ///   - receiver: Receives the rows that are whole.
    /// - Throws: What the receiver throws.
    init(_ database: Database, wal: JournalDamage?, _ receiver: Receiver = Receiver()) throws {
        if let wal {
            report.add(wal.place, wal.problem)
            lostTransactions = true
        }
        do {
            let problems = try String.fetchAll(database, sql: "PRAGMA integrity_check(20)")
            for problem in problems where problem != "ok" { report.add("the database file", problem) }
        } catch let error as DatabaseError {
            report.add("the database file", error.message ?? "it can't be checked")
        }
        try readJobs(database, receiver)
        try readEnds(database, receiver)
        try readLeases(database, receiver)
        try readChunks(database, receiver)
        try readLog(database)
        readReservation(database)
        judge()
    }

    // MARK: - Tables

    private mutating func readJobs(_ database: Database, _ receiver: Receiver) throws {
        try read("jobs", JobRow.columns, database) { survey, row in
            let job = try JobRow(row)
            _ = try job.accepted(.system)
            try receiver.job(job)
            survey.jobs[job.numbers.lowerBound] = (
                UInt64(bitPattern: job.job), job.numbers, job.durability, job.endedAt
            )
            survey.highest = max(survey.highest, job.numbers.upperBound - 1)
            for stream in job.numbers { survey.streams[stream] = Stream() }
            survey.report.jobs += 1
        } damaged: { survey, row in
            survey.noteHighest(row)
        } unreadable: { _, _ in
        }
    }

    private mutating func readEnds(_ database: Database, _ receiver: Receiver) throws {
        try read("ends", EndRow.columns, database) { survey, row in
            let end = try EndRow(row)
            _ = try end.streamEnd()
            try receiver.end(end)
            survey.update(end.stream, "ends") {
                $0.endedTokens = end.tokens
                $0.endedAt = end.endedAt
            }
        } damaged: { survey, row in
            survey.markDamaged(row)
        } unreadable: { survey, _ in
            survey.lostEnds = true
        }
    }

    private mutating func readLeases(_ database: Database, _ receiver: Receiver) throws {
        try read("leases", LeaseRow.columns, database) { survey, row in
            let lease = try LeaseRow(row)
            try receiver.lease(lease)
            survey.update(Int64(bitPattern: lease.lease.stream.rawValue), "leases") { _ in }
            survey.report.leases += 1
        } damaged: { survey, row in
            survey.noteHighest(row)
            if let stream = row.integer(0) { survey.streams[UInt64(bitPattern: stream)]?.lostLease = true }
        } unreadable: { survey, _ in
            survey.lostLeases = true
        }
    }

    private mutating func readChunks(_ database: Database, _ receiver: Receiver) throws {
        try read("chunks", ChunkRow.columns, database) { survey, row in
            let chunk = try ChunkRow(row)
            try receiver.chunk(chunk)
            survey.update(chunk.stream, "chunks") { $0.chunks.append((chunk.first, chunk.count, chunk.seq)) }
            survey.report.tokens += chunk.count
        } damaged: { survey, row in
            survey.markDamaged(row)
        } unreadable: { survey, _ in
            survey.lostChunks = true
        }
    }

    private mutating func readLog(_ database: Database) throws {
        for (number, job) in jobs where job.durability == Int64(Durability.released.wireNumber) {
            for stream in job.streams where streams[stream]?.endedTokens == nil {
                var tail = LiveStream(stream: StreamID(rawValue: stream), job: number, durability: .released)
                tail.stored = stored(stream) ?? 0
                streams[stream]?.tail = tail
            }
        }
        var rows: [LogRow] = []
        try read("log", LogRow.columns, database) { _, row in
            rows.append(try LogRow(row))
        } damaged: { survey, row in
            survey.lostLog = max(survey.lostLog, row.integer(0) ?? .max)
        } unreadable: { survey, range in
            survey.lostLog = max(survey.lostLog, range.upperBound)
        }
        rows.sort { $0.seq < $1.seq }
        report.logRows = rows.count
        var expected = rows.first?.seq ?? 0
        for row in rows {
            if row.seq != expected {
                if lostLog < row.seq - 1 {
                    report.add("table log", "rows \(expected) to \(row.seq - 1) are missing")
                    lostLog = row.seq - 1
                }
            }
            expected = row.seq + 1
            for columns in row.tokens { take(columns, seq: row.seq) }
        }
    }

    private mutating func take(_ columns: TokenColumns, seq: Int64) {
        var (token, byte, detail) = (0, 0, 0)
        for row in 0..<columns.rows {
            let tokens = token..<token + Int(columns.counts[row])
            token = tokens.upperBound
            let stream = columns.streams[row]
            let count = streams[stream]?.tail?.count
            let end = columns.firstIndexes[row] &+ UInt64(columns.counts[row])
            guard let count, columns.firstIndexes[row] == UInt64(count) else {
                if let count {
                    streams[stream]?.lastSeq = seq
                    if end > UInt64(count) { streams[stream]?.isDamaged = true }
                }
                for place in tokens { byte += Int(columns.textLengths[place]) }
                detail += columns.detailBytes(of: tokens)
                continue
            }
            streams[stream]?.tail?.append(
                columns,
                tokens: tokens,
                epoch: columns.epochs.isEmpty ? 0 : columns.epochs[row],
                byte: &byte,
                detail: &detail
            )
            streams[stream]?.lastSeq = seq
            report.tokens += tokens.count
        }
    }

    private mutating func readReservation(_ database: Database) {
        let reserved = (try? Int64.fetchOne(database, sql: "SELECT value FROM meta WHERE name = 'numbers'")) ?? nil
        if UInt64(clamping: reserved ?? 0) < highest {
            report.add("table meta", "the promise about stream numbers is missing or too low")
        }
        highest = max(highest, UInt64(clamping: reserved ?? 0))
    }

    // MARK: - Rows

    private mutating func read(
        _ table: String,
        _ columns: String,
        _ database: Database,
        whole: (inout JournalSurvey, Row) throws -> Void,
        damaged: (inout JournalSurvey, Row) -> Void,
        unreadable: (inout JournalSurvey, ClosedRange<Int64>) -> Void
    ) throws {
        let lost = try Salvage.each(table, columns, database) { row in
            do {
                try whole(&self, row)
            } catch let damage as JournalDamage {
                report.add(damage.place, damage.problem)
                damaged(&self, row)
            }
        }
        for range in lost {
            report.add("table \(table)", "rows after \(max(0, range.lowerBound)) can't be read")
            unreadable(&self, range)
        }
    }

    private mutating func update(_ number: Int64, _ table: String, _ change: (inout Stream) -> Void) {
        let stream = UInt64(bitPattern: number)
        highest = max(highest, min(stream, UInt64(Int64.max)))
        if streams[stream] == nil {
            report.add("table \(table), stream \(stream)", "its job is missing")
            streams[stream] = Stream(outcome: .lost)
        }
        if var known = streams.removeValue(forKey: stream) {
            change(&known)
            streams[stream] = known
        }
    }

    private mutating func markDamaged(_ row: Row) {
        noteHighest(row)
        if let stream = row.integer(0) { streams[UInt64(bitPattern: stream)]?.isDamaged = true }
    }

    private mutating func noteHighest(_ row: Row) {
        highest = max(highest, UInt64(clamping: row.integer(0) ?? 0))
    }

    // MARK: - Judgement

    /// The number of tokens in a stream's chunks; `nil` where some are missing.
    private func stored(_ stream: UInt64) -> Int? {
        var next = 0
        for chunk in (streams[stream]?.chunks ?? []).sorted(by: { $0.first < $1.first }) {
            guard chunk.first == next else { return nil }
            next += chunk.count
        }
        return next
    }

    private mutating func judge() {
        for (number, job) in jobs.sorted(by: { $0.key < $1.key }) {
            var hasEnded = true
            for stream in job.streams {
                guard var known = streams[stream] else { continue }
                if let tokens = known.endedTokens {
                    if known.isDamaged || stored(stream).map({ Int64($0) }) != tokens {
                        known.outcome = job.streams.count == 1 ? .forgotten : .failed
                    }
                } else {
                    report.runningStreams += 1
                    hasEnded = false
                    if isDoubtful(known, stream, job.durability, endedAt: job.endedAt) {
                        known.outcome = .computedAgain
                    }
                }
                if known.outcome != nil, report.isWhole {
                    report.add("stream \(stream)", "tokens or its end are missing")
                }
                streams[stream] = known
            }
            if hasEnded != (job.endedAt != nil) {
                report.add("table jobs, stream \(number)", "the moment of its end is wrong")
            }
        }
        report.losses = streams.filter { $0.value.outcome != nil }.sorted { $0.key < $1.key }.map { stream, known in
            JournalReport.Loss(
                job: job(of: stream).map { JobID(rawValue: $0).description } ?? "",
                stream: stream,
                outcome: known.outcome ?? .lost
            )
        }
    }

    /// The name of the job that a stream belongs to.
    func job(of stream: UInt64) -> UInt64? {
        for back in 0..<UInt64(Limits.choices) where stream >= back {
            if let job = jobs[stream - back], job.streams.contains(stream) { return job.job }
        }
        return nil
    }

    /// Whether attempts of a stream may be missing.
    func mayLackLeases(_ stream: UInt64) -> Bool {
        lostTransactions || lostLeases || streams[stream]?.lostLease ?? false
    }

    /// Whether tokens of a stream that has not ended may be missing, its end included.
    private func isDoubtful(_ known: Stream, _ stream: UInt64, _ durability: Int64, endedAt: Int64?) -> Bool {
        if known.isDamaged || lostEnds || endedAt != nil || known.lostLease || lostLeases { return true }
        guard durability == Int64(Durability.released.wireNumber) else { return false }
        // Later rows of the log, or a chunk that reaches beyond the lost ones, prove that there is no gap.
        let proven = max(known.lastSeq, known.chunks.map(\.seq).max() ?? 0)
        return lostTransactions || stored(stream) == nil || lostLog > proven || lostChunks && known.lastSeq == 0
    }
}
