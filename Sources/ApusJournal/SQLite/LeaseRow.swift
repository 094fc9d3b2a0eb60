import ApusModel
import GRDB

/// A row of the table `leases`: an attempt, and how many tokens its stream had when it was decided.
struct LeaseRow {
    /// What `init(_ row:)` needs, in its order.
    static let columns = """
        stream, epoch, at_index, worker, model, fingerprint_high, fingerprint_low, exactness, context_tokens, losses, lost,
        is_hedge, leased_at, checksum
        """

    /// The attempt, its moment in nanoseconds since 1970.
    let lease: LeaseRecord

    /// The stream's committed tokens at that time.
    private(set) var atIndex: Int

    /// The row of a decision.
    init(_ lease: LeaseRecord, atIndex: Int, _ clock: JournalClock) {
        var kept = lease
        kept.leasedAt = Timestamp(nanoseconds: clock.kept(lease.leasedAt))
        self.lease = kept
        self.atIndex = atIndex
    }

    /// A row as it is kept, its moment in nanoseconds since 1970.
    init(kept lease: LeaseRecord, atIndex: Int) {
        self.lease = lease
        self.atIndex = atIndex
    }

    /// Reads a row of `columns`.
    ///
    /// - Throws: `JournalDamage` where its checksum does not hold.
    init(_ row: Row) throws {
        let numbers = [0, 1, 2, 5, 6, 8, 9, 10, 11, 12, 13].compactMap { row.integer($0) }
        guard numbers.count == 11, let worker = row.text(3).flatMap({ WorkerName($0) }),
            let model = row.text(4).flatMap({ ModelName($0) }),
            let exactness = row.text(7).flatMap({ ExactnessClass(rawValue: $0) })
        else { throw Self.damage(row) }
        lease = LeaseRecord(
            stream: StreamID(rawValue: UInt64(bitPattern: numbers[0])),
            epoch: Epoch(rawValue: UInt32(clamping: numbers[1])),
            worker: worker,
            model: model,
            fingerprint: Fingerprint(high: UInt64(bitPattern: numbers[3]), low: UInt64(bitPattern: numbers[4])),
            exactness: exactness,
            contextTokens: Int(numbers[5]),
            losses: Int(numbers[6]),
            lost: Int(numbers[7]),
            isHedge: numbers[8] != 0,
            leasedAt: Timestamp(nanoseconds: numbers[9])
        )
        atIndex = Int(numbers[2])
        guard checksum == numbers[10] else { throw Self.damage(row) }
    }

    private static func damage(_ row: Row) -> JournalDamage {
        JournalDamage(
            place: "table leases, stream \(row.integer(0) ?? 0), epoch \(row.integer(1) ?? 0)",
            problem: "its checksum is wrong"
        )
    }

    /// The attempt as if its stream had had another number of tokens.
    func moved(to index: Int) -> LeaseRow {
        var moved = self
        moved.atIndex = index
        return moved
    }

    /// The attempt, its moment on the process's clock.
    func record(_ clock: JournalClock) -> LeaseRecord {
        var record = lease
        record.leasedAt = clock.moment(lease.leasedAt.nanoseconds)
        return record
    }

    private var checksum: Int64 {
        var sum = Checksum(2)
        sum.add(lease.stream.rawValue)
        sum.add(UInt64(lease.epoch.rawValue))
        sum.add(Int64(atIndex))
        sum.add(lease.worker.text)
        sum.add(lease.model.text)
        sum.add(lease.fingerprint.high)
        sum.add(lease.fingerprint.low)
        sum.add(lease.exactness.rawValue)
        for number in [lease.contextTokens, lease.losses, lease.lost, lease.isHedge ? 1 : 0] { sum.add(Int64(number)) }
        sum.add(lease.leasedAt.nanoseconds)
        return sum.value
    }

    /// Writes the row.
    func insert(_ database: Database) throws {
        try database.cachedStatement(
            sql: """
                INSERT INTO leases (stream, epoch, at_index, worker, model, fingerprint_high, fingerprint_low, exactness,
                    context_tokens, losses, lost, is_hedge, leased_at, checksum)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(
            arguments: [
                Int64(bitPattern: lease.stream.rawValue), lease.epoch.rawValue, atIndex, lease.worker.text,
                lease.model.text, Int64(bitPattern: lease.fingerprint.high), Int64(bitPattern: lease.fingerprint.low),
                lease.exactness.rawValue, lease.contextTokens, lease.losses, lease.lost, lease.isHedge ? 1 : 0,
                lease.leasedAt.nanoseconds, checksum,
            ]
        )
    }
}
