import ApusModel
import ApusProtocol
import Foundation
import GRDB
import SwiftProtobuf

/// A row of the table `jobs`: what was promised at acceptance.
struct JobRow {
    /// What `init(_ row:)` needs, in its order.
    static let columns = """
        stream, job, key, client, streams, accepted_at, durability, chose_seed, deadline, token_target, request, checksum, ended_at
        """

    /// The number of the job's first stream.
    let stream: Int64
    let job: Int64
    let key: String
    let client: String

    /// How many streams it has.
    let streams: Int64

    /// In nanoseconds since 1970.
    let acceptedAt: Int64
    let durability: Int64
    let choseSeed: Int64

    /// Exact to the nanosecond, which the request's wire form is not.
    let deadline: Int64?

    /// Exact to the nanosecond, which the request's wire form is not.
    let tokenTarget: Int64?

    /// The request's wire form.
    let request: Data

    /// When the last of its streams ended, in nanoseconds since 1970; no part of the checksum, since it follows from the ends.
    var endedAt: Int64?

    /// The row of an acceptance.
    init(_ accepted: AcceptedRecord, _ clock: JournalClock) throws {
        stream = Int64(bitPattern: accepted.stream.rawValue)
        job = Int64(bitPattern: accepted.job.rawValue)
        key = accepted.key
        client = accepted.client
        streams = Int64(accepted.streams.count)
        acceptedAt = clock.kept(accepted.acceptedAt)
        durability = Int64(accepted.request.durability.wireNumber)
        choseSeed = accepted.choseSeed ? 1 : 0
        deadline = accepted.request.deadline?.nanoseconds
        tokenTarget = accepted.request.interTokenTarget?.nanoseconds
        request = try Apus_V1_Request(accepted.request).serializedBytes()
    }

    /// Reads a row of `columns`.
    ///
    /// - Throws: `JournalDamage` where its checksum does not hold.
    init(_ row: Row) throws {
        let place = "table jobs, stream \(row.integer(0) ?? 0)"
        guard let stream = row.integer(0), let job = row.integer(1), let key = row.text(2), let client = row.text(3),
            let streams = row.integer(4), let acceptedAt = row.integer(5), let durability = row.integer(6),
            let choseSeed = row.integer(7), let request = row.bytes(10)
        else { throw JournalDamage(place: place, problem: "a value is missing") }
        self.stream = stream
        self.job = job
        self.key = key
        self.client = client
        self.streams = streams
        self.acceptedAt = acceptedAt
        self.durability = durability
        self.choseSeed = choseSeed
        deadline = row.integer(8)
        tokenTarget = row.integer(9)
        self.request = request
        endedAt = row.integer(12)
        guard checksum == row.integer(11), (1...Int64(Limits.choices)).contains(streams), stream >= 0 else {
            throw JournalDamage(place: place, problem: "its checksum is wrong")
        }
    }

    /// The numbers of its streams.
    var numbers: Range<UInt64> { UInt64(bitPattern: stream)..<UInt64(bitPattern: stream) + UInt64(streams) }

    /// The acceptance.
    ///
    /// - Throws: `JournalDamage` where the request can't be read.
    func accepted(_ clock: JournalClock) throws -> AcceptedRecord {
        var request: GenerationRequest
        do {
            request = try GenerationRequest(Apus_V1_Request(serializedBytes: self.request))
        } catch {
            throw JournalDamage(place: "table jobs, stream \(stream)", problem: "its request can't be read: \(error)")
        }
        request.deadline = deadline.map { .nanoseconds($0) }
        request.interTokenTarget = tokenTarget.map { .nanoseconds($0) }
        if let durability = Durability(wireNumber: UInt32(clamping: durability)) { request.durability = durability }
        return AcceptedRecord(
            job: JobID(rawValue: UInt64(bitPattern: job)),
            stream: StreamID(rawValue: UInt64(bitPattern: stream)),
            key: key,
            client: client,
            request: request,
            choseSeed: choseSeed != 0,
            acceptedAt: clock.moment(acceptedAt)
        )
    }

    /// About what the row takes on disk with its indexes.
    var bytes: Int { request.count + 2 * key.utf8.count + client.utf8.count + 128 }

    private var checksum: Int64 {
        var sum = Checksum(1)
        for number in [stream, job, streams, acceptedAt, durability, choseSeed] { sum.add(number) }
        sum.add(deadline)
        sum.add(tokenTarget)
        sum.add(key)
        sum.add(client)
        request.withUnsafeBytes { sum.add($0) }
        return sum.value
    }

    /// Writes the row.
    func insert(_ database: Database) throws {
        try database.cachedStatement(
            sql: """
                INSERT INTO jobs (stream, job, key, client, streams, accepted_at, durability, chose_seed, deadline,
                    token_target, request, checksum, ended_at, bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(
            arguments: [
                stream, job, key, client, streams, acceptedAt, durability, choseSeed, deadline, tokenTarget, request,
                checksum, endedAt, bytes,
            ]
        )
    }
}

extension Row {
    /// A whole number; `nil` for anything else, as damage may leave it.
    func integer(_ place: Int) -> Int64? { Int64.fromDatabaseValue(self[place]) }

    /// A text; `nil` for anything else.
    func text(_ place: Int) -> String? { String.fromDatabaseValue(self[place]) }

    /// A copy of bytes; `nil` for anything else.
    func bytes(_ place: Int) -> Data? { Data.fromDatabaseValue(self[place]) }
}
