public import ApusModel

/// A journal in memory: it survives workers and clients, but not its coordinator.
///
/// Memory is bounded by what the coordinator keeps: a stream's tokens go when its retention ends.
public final class MemoryJournal: Journal {
    private var histories: [StreamID: StreamHistory] = [:]

    /// Starts empty.
    public init() {}

    /// `memory`.
    public var kind: String { "memory" }

    /// Streams that are kept.
    public var streams: Int { histories.count }

    /// Appends the batch.
    ///
    /// - Throws: `internalFailure` for tokens of a stream that is not accepted or that do not come next: the coordinator's own
    ///   fault, after which it stops.
    public func commit(_ batch: JournalBatch) throws(ApusError) {
        for columns in batch.tokens { try append(columns) }
        for record in batch.records {
            switch record {
            case .accepted(let accepted): histories[accepted.stream] = StreamHistory()
            case .forgotten(let stream): histories[stream] = nil
            case .leased, .ended: break
            }
        }
    }

    private func append(_ columns: TokenColumns) throws(ApusError) {
        var token = 0
        var byte = 0
        for row in 0..<columns.rows {
            let stream = StreamID(rawValue: columns.streams[row])
            let count = Int(columns.counts[row])
            guard let place = histories.index(forKey: stream),
                histories.values[place].count == Int(columns.firstIndexes[row])
            else {
                throw ApusError(.internalFailure, "tokens of stream \(stream) do not follow what the journal holds")
            }
            histories.values[place].append(columns, firstToken: token, count: count, firstByte: byte)
            for _ in 0..<count {
                byte += Int(columns.textLengths[token])
                token += 1
            }
        }
    }

    /// Reads tokens of a stream.
    public func read(_ stream: StreamID, _ range: Range<Int>, into columns: inout TokenColumns) throws(ApusError) {
        guard let history = histories[stream], range.lowerBound >= 0, range.upperBound <= history.count else {
            throw ApusError(.internalFailure, "the journal does not hold tokens \(range) of stream \(stream)")
        }
        history.read(range, of: stream, into: &columns)
    }

    /// Reads the vocabulary numbers of a stream's tokens from index 0.
    public func history(of stream: StreamID, count: Int) throws(ApusError) -> [Int32] {
        guard let history = histories[stream], count <= history.count else {
            throw ApusError(.internalFailure, "the journal does not hold \(count) tokens of stream \(stream)")
        }
        return Array(history.ids.prefix(count))
    }
}
