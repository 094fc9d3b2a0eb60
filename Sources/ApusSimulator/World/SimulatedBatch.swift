import ApusModel

/// A batch as the disk holds it, with what its checksum says of it.
struct SimulatedBatch: Sendable {
    var tokens: [TokenColumns]
    var records: [JournalRecord]

    /// The sizes that it was written with, in place of a checksum: a torn batch has fewer.
    private var rows = 0
    private var recordCount = 0

    /// A batch that is whole.
    init(tokens: [TokenColumns], records: [JournalRecord]) {
        self.tokens = tokens
        self.records = records
        seal()
    }

    /// Whether its checksum holds.
    var isWhole: Bool { rows == rowCount && recordCount == records.count }

    private var rowCount: Int { tokens.reduce(0) { $0 + $1.rows } }

    /// Writes the checksum of what it holds now.
    mutating func seal() {
        rows = rowCount
        recordCount = records.count
    }

    /// Only a part of it reached the disk, which writes as it likes until it is synced: the last records came before the first
    /// tokens.
    mutating func tear() {
        if !tokens.isEmpty { tokens.removeFirst() } else if !records.isEmpty { records.removeFirst() }
    }
}
