import ApusModel

/// A disk that holds a coordinator's journal, and reads streams' tokens back from it.
///
/// A batch is appended, then synced; only what is synced is sure to outlive a crash.
struct SimulatedDisk {
    /// Where tokens of a stream stand, and where the ones before them do.
    private struct Piece {
        let batch: Int32
        let columns: Int32
        let firstToken: Int32
        let firstByte: Int32
        let firstIndex: Int32
        let count: Int32
        let previous: Int32
    }

    /// What was appended, in order.
    private(set) var batches: [SimulatedBatch] = []

    /// So many batches are synced.
    private(set) var synced = 0

    private var pieces: [Piece] = []

    /// The last piece of each stream, by the stream's number; -1 for none.
    private var lastPieces: [Int32] = []

    /// Appends a batch; it may be lost until it is synced.
    mutating func append(_ batch: SimulatedBatch) {
        batches.append(batch)
    }

    /// Makes everything durable and readable.
    mutating func sync() {
        while synced < batches.count {
            index(synced)
            synced += 1
        }
    }

    /// The machine lost its power before the last batch was synced.
    ///
    /// - Parameter keepsTail: Whether the batch reached the disk all the same.
    mutating func crash(keepsTail: Bool) {
        if keepsTail { sync() } else { batches.removeLast(batches.count - synced) }
    }

    /// So many tokens of a stream can be read.
    func count(of stream: StreamID) -> Int {
        guard let last = lastPiece(of: stream) else { return 0 }
        return Int(pieces[last].firstIndex + pieces[last].count)
    }

    /// Reads the vocabulary numbers of a stream's first tokens.
    ///
    /// - Returns: `count` numbers, or `nil` where the disk does not hold them.
    func history(of stream: StreamID, count: Int) -> [Int32]? {
        guard count > 0 else { return [] }
        guard count <= self.count(of: stream) else { return nil }
        return [Int32](unsafeUninitializedCapacity: count) { buffer, filled in
            forEachPiece(of: stream, in: 0..<count) { piece, range in
                let ids = batches[Int(piece.batch)].tokens[Int(piece.columns)].ids
                for index in range {
                    buffer[index] = ids[Int(piece.firstToken) + index - Int(piece.firstIndex)]
                }
            }
            filled = count
        }
    }

    /// Reads tokens of a stream as one row.
    ///
    /// - Returns: Whether the disk holds them.
    func read(_ stream: StreamID, _ range: Range<Int>, into columns: inout TokenColumns) -> Bool {
        guard range.lowerBound >= 0, range.upperBound <= count(of: stream) else { return false }
        var found: [(piece: Piece, range: Range<Int>)] = []
        forEachPiece(of: stream, in: range) { found.append(($0, $1)) }
        columns.streams.append(stream.rawValue)
        columns.firstIndexes.append(UInt64(range.lowerBound))
        columns.counts.append(UInt32(range.count))
        for (piece, range) in found.reversed() {
            let source = batches[Int(piece.batch)].tokens[Int(piece.columns)]
            var token = Int(piece.firstToken)
            var byte = Int(piece.firstByte)
            for index in Int(piece.firstIndex)..<range.upperBound {
                let length = Int(source.textLengths[token])
                if index >= range.lowerBound {
                    columns.ids.append(source.ids[token])
                    columns.textLengths.append(UInt32(length))
                    for place in byte..<byte + length { columns.text.append(source.text[place]) }
                }
                token += 1
                byte += length
            }
        }
        return true
    }

    private func lastPiece(of stream: StreamID) -> Int? {
        guard stream.rawValue < UInt64(lastPieces.count) else { return nil }
        let last = lastPieces[Int(stream.rawValue)]
        return last < 0 ? nil : Int(last)
    }

    /// Visits the pieces of a range from its end to its beginning.
    private func forEachPiece(of stream: StreamID, in range: Range<Int>, _ body: (Piece, Range<Int>) -> Void) {
        var place = lastPiece(of: stream) ?? -1
        while place >= 0 {
            let piece = pieces[place]
            let first = Int(piece.firstIndex)
            let common = range.clamped(to: first..<first + Int(piece.count))
            if !common.isEmpty { body(piece, common) }
            if first <= range.lowerBound { return }
            place = Int(piece.previous)
        }
    }

    private mutating func index(_ batch: Int) {
        for columns in batches[batch].tokens.indices {
            var token = 0
            var byte = 0
            for row in batches[batch].tokens[columns].streams.indices {
                let stream = Int(batches[batch].tokens[columns].streams[row])
                let count = Int(batches[batch].tokens[columns].counts[row])
                while lastPieces.count <= stream { lastPieces.append(-1) }
                pieces.append(
                    Piece(
                        batch: Int32(batch),
                        columns: Int32(columns),
                        firstToken: Int32(token),
                        firstByte: Int32(byte),
                        firstIndex: Int32(batches[batch].tokens[columns].firstIndexes[row]),
                        count: Int32(count),
                        previous: lastPieces[stream]
                    )
                )
                lastPieces[stream] = Int32(pieces.count - 1)
                for place in token..<token + count {
                    byte += Int(batches[batch].tokens[columns].textLengths[place])
                }
                token += count
            }
        }
    }
}
