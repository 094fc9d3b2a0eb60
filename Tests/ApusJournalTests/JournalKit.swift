import ApusModel
import Foundation
import GRDB

@testable import ApusJournal

/// A folder that goes with the test.
final class TestFolder {
    let path = NSTemporaryDirectory() + "apus-journal-" + UUID().uuidString

    init() throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        // Left behind, it is the system's to tidy.
        try? FileManager.default.removeItem(atPath: path)
    }

    var database: String { path + "/journal.sqlite" }
    var wal: String { database + "-wal" }

    /// The files as a killed process would leave them, in another folder.
    func copy() throws -> TestFolder {
        let copy = try TestFolder()
        for (from, to) in [(database, copy.database), (wal, copy.wal)]
        where FileManager.default.fileExists(atPath: from) {
            try FileManager.default.copyItem(atPath: from, toPath: to)
        }
        return copy
    }

    /// Changes bytes of a file.
    func flip(_ file: String, at offset: Int, count: Int = 1) throws {
        var data = try Data(contentsOf: URL(fileURLWithPath: file))
        for place in offset..<offset + count { data[place] ^= 0x40 }
        try data.write(to: URL(fileURLWithPath: file))
    }

    /// Runs SQL on the closed database.
    func execute(_ sql: String) throws {
        let queue = try DatabaseQueue(path: database)
        try queue.write { try $0.execute(sql: sql) }
        try queue.close()
    }
}

/// SplitMix64.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        return state.mixed
    }
}

extension JournalSettings {
    /// Bounds so small that a short test meets all of them.
    static var tiny: JournalSettings {
        var settings = JournalSettings()
        settings.chunkTokens = 20
        settings.pieceTokens = 16
        settings.logRows = 12
        settings.trimRows = 4
        settings.walBytes = 64 << 10
        settings.pageBytes = 4_096
        return settings
    }
}

extension JournalSettings {
    /// Tiny, but all commits of a test stay in the write-ahead log.
    static var tinyWithLongLog: JournalSettings {
        var settings = tiny
        settings.walBytes = 16 << 20
        return settings
    }
}

extension JournalClock {
    /// Clocks that stand still, with so much between them.
    static func fixed(wall: Int64 = 1_700_000_000_000_000_000, monotonic: Int64 = 1 << 50) -> JournalClock {
        JournalClock(wall: { wall }, monotonic: { Timestamp(nanoseconds: monotonic) })
    }
}

/// An acceptance with everything that a request may have.
func acceptance(
    _ stream: UInt64,
    choices: Int = 1,
    durability: Durability = .released,
    key: String? = nil,
    prompt: String = "a prompt",
    at moment: Int64 = 0
) -> AcceptedRecord {
    var request = GenerationRequest(
        model: ModelName("m"),
        prompt: prompt,
        deadline: .nanoseconds(1_234_567_891),
        logprobs: 2,
        choices: choices,
        durability: durability
    )
    request.sampling.seed = stream &* 31
    return AcceptedRecord(
        job: JobID(rawValue: (stream &+ 7).mixed),
        stream: StreamID(rawValue: stream),
        key: key ?? "key-\(stream)",
        client: "client",
        request: request,
        choseSeed: stream % 2 == 0,
        acceptedAt: Timestamp(nanoseconds: moment)
    )
}

/// An attempt.
func attempt(_ stream: UInt64, _ epoch: UInt32, isHedge: Bool = false) -> LeaseRecord {
    LeaseRecord(
        stream: StreamID(rawValue: stream),
        epoch: Epoch(rawValue: epoch),
        worker: WorkerName(unchecked: "worker-\(epoch)"),
        model: ModelName(unchecked: "model"),
        fingerprint: Fingerprint(high: .max - stream, low: UInt64(epoch)),
        exactness: epoch % 2 == 0 ? .exact : .consistent,
        contextTokens: 2_048,
        losses: 1,
        lost: Int(epoch) - 1,
        isHedge: isHedge,
        leasedAt: Timestamp(nanoseconds: Int64(epoch))
    )
}

/// An end.
func streamEnd(_ reason: FinishReason = .stop, tokens: Int = 0) -> StreamEnd {
    StreamEnd(
        reason: reason,
        error: reason == .failed ? ApusError(.engineFailure, "the engine failed") : nil,
        usage: Usage(promptTokens: 3, completionTokens: tokens),
        timings: StreamTimings(queueWait: .milliseconds(2), total: .milliseconds(40)),
        continuity: .consistent,
        attempts: 2,
        summary: SessionSummary(tokens: tokens)
    )
}

/// Tokens of one row, each a function of its stream and index; some have long texts, and some details.
func tokens(_ stream: UInt64, _ range: Range<Int>, epoch: UInt32 = 1, into columns: inout TokenColumns) {
    columns.streams.append(stream)
    columns.epochs.append(epoch)
    columns.firstIndexes.append(UInt64(range.lowerBound))
    columns.counts.append(UInt32(range.count))
    for index in range {
        let bits = (stream << 32 &+ UInt64(index)).mixed
        let length = bits % 97 == 0 ? 300 : Int(bits % 7)
        columns.ids.append(Int32(bits >> 40))
        columns.textLengths.append(UInt32(length))
        columns.text += [UInt8](repeating: UInt8(ascii: "a") + UInt8(bits % 26), count: length)
        guard stream % 3 == 0, bits % 5 == 0 else {
            columns.detailLengths.pad(to: columns.hasDetails ? columns.ids.count : 0)
            continue
        }
        columns.appendDetails([4], [1, 2, 3, UInt8(truncatingIfNeeded: index)], count: 1)
    }
}

/// Tokens of one row.
func tokens(_ stream: UInt64, _ range: Range<Int>, epoch: UInt32 = 1) -> TokenColumns {
    var columns = TokenColumns()
    tokens(stream, range, epoch: epoch, into: &columns)
    return columns
}

/// What reading of a row gives: without epochs.
func reading(_ stream: UInt64, _ range: Range<Int>) -> TokenColumns {
    var columns = tokens(stream, range)
    columns.epochs = []
    return columns
}

extension SQLiteJournal {
    /// Commits records.
    func commit(_ records: JournalRecord...) throws { try commit(JournalBatch(tokens: [], records: records)) }

    /// Commits tokens.
    func commit(_ columns: TokenColumns) throws { try commit(JournalBatch(tokens: [columns], records: [])) }

    /// Reads tokens.
    func read(_ stream: UInt64, _ range: Range<Int>) throws -> TokenColumns {
        var columns = TokenColumns()
        try read(StreamID(rawValue: stream), range, into: &columns)
        return columns
    }

    /// Recovers all facts.
    func recovered() throws -> [JournalFact] {
        var facts: [JournalFact] = []
        _ = try recover { facts.append($0) }
        return facts
    }

    /// Runs SQL on its own connection.
    func execute(_ sql: String) throws { try queue.inDatabase { try $0.execute(sql: sql) } }
}
