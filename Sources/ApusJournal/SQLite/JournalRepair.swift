public import ApusModel
import ApusProtocol
import Foundation
import GRDB

/// Makes a whole journal of a damaged one.
///
/// All rows that are whole are copied into a new database beside, which then takes the place of the damaged one; that one stays
/// under another name. A stream that has not ended and may have lost tokens keeps its acceptance and is computed again from its
/// first token: its job becomes `accepted`. A stream that had ended and lost tokens is forgotten, or counts as failed where others
/// of its job are there.
public struct JournalRepair {
    private let folder: JournalFolder
    private let settings: JournalSettings
    private let survey: JournalSurvey
    private let database: Database
    private let clock = JournalClock.system

    /// Numbers that lost transactions may have used: so many jobs are not accepted within one.
    private static let spareNumbers: UInt64 = 1 << 20

    /// Epochs that lost attempts may have used.
    private static let spareEpochs: UInt32 = 1 << 10

    /// Repairs the journal of a folder that nobody has open; one that is whole is left alone.
    ///
    /// - Parameters:
    ///   - path: The folder.
    ///   - settings: How the new database is made.
    ///   - moment: The present time in seconds since 1970, for the damaged file's name.
    /// - Returns: What was found and lost, and where the damaged file is.
    /// - Throws: As `JournalCheck.run`; `journalUnavailable` where the new file can't be written.
    public static func run(
        folder path: String,
        settings: JournalSettings = JournalSettings(),
        at moment: Int64
    ) throws(ApusError) -> JournalReport {
        let folder = try JournalFolder(existing: path)
        do {
            try finishInterrupted(folder)
            var report = try JournalCheck.survey(folder) { try JournalSurvey($0, wal: $1).report }
            guard !report.isWhole else { return report }
            try? FileManager.default.removeItem(atPath: folder.repaired)
            try? FileManager.default.removeItem(atPath: folder.repaired + "-wal")
            try build(folder, settings)
            report.damagedFile = try replace(folder, at: moment)
            return report
        } catch {
            throw ApusError(error)
        }
    }

    /// A repair that was killed between its last steps has only to put the new file in its place.
    private static func finishInterrupted(_ folder: JournalFolder) throws {
        let files = FileManager.default
        guard !files.fileExists(atPath: folder.database), files.fileExists(atPath: folder.repaired) else { return }
        try moveAside(folder.wal, to: folder.path + "/journal.damaged.sqlite-wal")
        try files.moveItem(atPath: folder.repaired, toPath: folder.database)
    }

    private static func replace(_ folder: JournalFolder, at moment: Int64) throws -> String {
        let time = Date(timeIntervalSince1970: TimeInterval(moment)).formatted(
            Date.ISO8601FormatStyle(timeZoneSeparator: .omitted, timeZone: .gmt).year().month().day()
                .time(includingFractionalSeconds: false).dateSeparator(.omitted).timeSeparator(.omitted)
        )
        let damaged = folder.path + "/journal.damaged-\(time)Z.sqlite"
        // The database goes first: without it the folder is not taken for a journal, so that no step leaves a new database
        // beside the old log.
        try FileManager.default.moveItem(atPath: folder.database, toPath: damaged)
        try moveAside(folder.wal, to: damaged + "-wal")
        try FileManager.default.moveItem(atPath: folder.repaired, toPath: folder.database)
        try folder.sync()
        return damaged
    }

    private static func moveAside(_ file: String, to other: String) throws {
        guard FileManager.default.fileExists(atPath: file) else { return }
        try FileManager.default.moveItem(atPath: file, toPath: other)
    }

    private static func build(_ folder: JournalFolder, _ settings: JournalSettings) throws {
        let new = try folder.open(folder.repaired, settings)
        try JournalSchema.migrate(new)
        try new.inTransaction { target in
            var chunks = ChunkWriter(database: target)
            let survey = try JournalCheck.survey(folder) { damaged, wal in
                var receiver = JournalSurvey.Receiver()
                receiver.job = { try $0.insert(target) }
                receiver.lease = { try $0.insert(target) }
                receiver.end = { try $0.insert(target) }
                receiver.chunk = { _ = try chunks.write($0.columns, seq: 0) }
                return try JournalSurvey(damaged, wal: wal, receiver)
            }
            let repair = JournalRepair(folder: folder, settings: settings, survey: survey, database: target)
            try repair.finish(&chunks)
            return .commit
        }
        try new.close()
    }

    /// Takes damaged streams out of the new database, and adds the tails of whole ones.
    private func finish(_ chunks: inout ChunkWriter) throws {
        for (stream, known) in survey.streams.sorted(by: { $0.key < $1.key }) {
            let number = Int64(bitPattern: stream)
            switch known.outcome {
            case .lost?, .forgotten?:
                for table in ["chunks", "leases", "ends"] { try delete(table, number) }
                if known.outcome == .forgotten {
                    try database.execute(sql: "DELETE FROM jobs WHERE stream = ?", arguments: [number])
                }
            case .failed?:
                try fail(stream, endedAt: known.endedAt)
            case .computedAgain?, nil:
                break
            }
        }
        for (number, job) in survey.jobs.sorted(by: { $0.key < $1.key }) {
            try finish(number, job.streams, &chunks)
        }
        let reserved = Int64(clamping: survey.highest.addingReportingOverflow(Self.spareNumbers).partialValue)
        try database.execute(sql: "INSERT INTO meta (name, value) VALUES ('numbers', ?)", arguments: [reserved])
    }

    /// Streams of a job that have not ended.
    private func finish(_ number: UInt64, _ streams: Range<UInt64>, _ chunks: inout ChunkWriter) throws {
        let running = streams.filter { survey.streams[$0].map { $0.endedTokens == nil } ?? false }
        if running.contains(where: { survey.streams[$0]?.outcome == .computedAgain }) {
            try beginAgain(number)
            for stream in running { try beginAgain(stream: stream) }
        } else {
            for stream in running {
                if let tail = survey.streams[stream]?.tail { try chunks.write(tail, settings) }
            }
        }
        let ends = streams.compactMap { survey.streams[$0]?.endedTokens == nil ? nil : survey.streams[$0]?.endedAt }
        try database.execute(
            sql: """
                UPDATE jobs SET ended_at = ?, bytes = bytes + coalesce(
                    (SELECT sum(length(payload)) FROM chunks WHERE chunks.stream >= ?2 AND chunks.stream < ?3), 0)
                    WHERE stream = ?2
                """,
            arguments: [running.isEmpty ? ends.max() : nil, Int64(number), Int64(streams.upperBound)]
        )
    }

    /// The job's tokens are written at its streams' ends from now on.
    private func beginAgain(_ number: UInt64) throws {
        let row = try Row.fetchOne(
            database,
            sql: "SELECT \(JobRow.columns) FROM jobs WHERE stream = ?",
            arguments: [Int64(number)]
        )
        guard let row else { return }
        var accepted = try JobRow(row).accepted(clock)
        accepted.request.durability = .accepted
        try delete("jobs", Int64(number))
        try JobRow(accepted, clock).insert(database)
    }

    /// Its tokens go; its attempts stay, so that their epochs are not given again.
    private func beginAgain(stream: UInt64) throws {
        let number = Int64(bitPattern: stream)
        try delete("chunks", number)
        let rows = try Row.fetchAll(
            database,
            sql: "SELECT \(LeaseRow.columns) FROM leases WHERE stream = ? ORDER BY epoch",
            arguments: [number]
        )
        guard let last = rows.last, survey.mayLackLeases(stream) else { return }
        var fence = try LeaseRow(last).lease
        let (epoch, overflow) = fence.epoch.rawValue.addingReportingOverflow(Self.spareEpochs)
        guard !overflow else { return }
        fence.epoch = Epoch(rawValue: epoch)
        fence.isHedge = false
        try LeaseRow(kept: fence, atIndex: 0).insert(database)
    }

    /// A stream that ended beside others and lost tokens: a failure that people find among the dead letters.
    private func fail(_ stream: UInt64, endedAt: Int64) throws {
        let number = Int64(bitPattern: stream)
        try delete("chunks", number)
        try delete("ends", number)
        let end = StreamEnd(
            reason: .failed,
            error: ApusError(.internalFailure, "its tokens were lost with a part of the journal; try it again"),
            continuity: .none
        )
        let job = survey.job(of: stream) ?? 0
        let id = StreamID(rawValue: stream)
        try EndRow(id, end, job: JobID(rawValue: job), tokens: 0, endedAt: endedAt).insert(database)
    }

    private func delete(_ table: String, _ stream: Int64) throws {
        try database.execute(sql: "DELETE FROM \(table) WHERE stream = ?", arguments: [stream])
    }
}

/// Writes chunks with memory of its own.
private struct ChunkWriter {
    let database: Database
    private let scratch = ByteScratch()
    private var columns = TokenColumns()

    init(database: Database) { self.database = database }

    func write(_ columns: TokenColumns, seq: Int64) throws -> Int {
        try ChunkRow.insert(columns, seq: seq, scratch, database)
    }

    mutating func write(_ stream: LiveStream, _ settings: JournalSettings) throws {
        var first = 0
        while first < stream.tail.count {
            let end = stream.tail.endOfPiece(from: first, tokens: settings.pieceTokens, bytes: settings.pieceBytes)
            columns.removeAll()
            stream.copy(first..<end, into: &columns)
            _ = try write(columns, seq: 0)
            first = end
        }
    }
}
