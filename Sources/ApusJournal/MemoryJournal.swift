public import ApusModel

/// A journal in memory: it survives workers and clients, but not its coordinator.
///
/// Memory is bounded by what the coordinator keeps: a stream's tokens go when its retention ends.
public final class MemoryJournal: Journal {
    private var histories: [StreamHistory] = []
    private var places = StreamTable()
    private var vacant: [Int] = []

    /// Starts empty.
    public init() {}

    /// `memory`.
    public var kind: String { "memory" }

    /// Streams that are kept.
    public var streams: Int { places.count }

    /// Appends the batch.
    ///
    /// - Throws: `internalFailure` for tokens of a stream that is not accepted or that do not come next: the coordinator's own
    ///   fault, after which it stops.
    public func commit(_ batch: JournalBatch) throws(ApusError) {
        for columns in batch.tokens { try append(columns) }
        for record in batch.records {
            switch record {
            case .accepted(let accepted): for stream in accepted.streams { insert(StreamID(rawValue: stream)) }
            case .forgotten(let stream): remove(stream)
            case .leased, .ended: break
            }
        }
    }

    private func insert(_ stream: StreamID) {
        let place = vacant.popLast() ?? histories.count
        if place == histories.count { histories.append(StreamHistory()) }
        places.insert(stream, at: place)
    }

    private func remove(_ stream: StreamID) {
        guard let place = places.remove(stream) else { return }
        histories[place] = StreamHistory()
        vacant.append(place)
    }

    private func append(_ columns: TokenColumns) throws(ApusError) {
        var token = 0
        var byte = 0
        var detail = 0
        for row in 0..<columns.rows {
            let stream = StreamID(rawValue: columns.streams[row])
            let count = Int(columns.counts[row])
            guard let place = places[stream], histories[place].count == Int(columns.firstIndexes[row]) else {
                throw ApusError(.internalFailure, "tokens of stream \(stream) do not follow what the journal holds")
            }
            byte = histories[place].append(columns, tokens: token..<token + count, firstByte: byte)
            if columns.hasDetails {
                detail = histories[place].appendDetails(columns, tokens: token..<token + count, firstByte: detail)
            }
            token += count
        }
    }

    /// Reads tokens of a stream.
    public func read(_ stream: StreamID, _ range: Range<Int>, into columns: inout TokenColumns) throws(ApusError) {
        guard let place = places[stream], range.lowerBound >= 0, range.upperBound <= histories[place].count else {
            throw ApusError(.internalFailure, "the journal does not hold tokens \(range) of stream \(stream)")
        }
        histories[place].read(range, of: stream, into: &columns)
    }

    /// Reads the vocabulary numbers of a stream's tokens from index 0.
    public func history(of stream: StreamID, count: Int) throws(ApusError) -> [Int32] {
        guard let place = places[stream], count <= histories[place].count else {
            throw ApusError(.internalFailure, "the journal does not hold \(count) tokens of stream \(stream)")
        }
        return Array(histories[place].ids.prefix(count))
    }
}
