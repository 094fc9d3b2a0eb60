import ApusModel

/// A stream that has not ended, as the journal's memory knows it: its last tokens, those that no chunk holds yet.
struct LiveStream {
    /// Its number.
    let stream: StreamID

    /// The first stream of its job.
    let job: UInt64

    /// What its job asks for; never `none`.
    let durability: Durability

    /// How many tokens are in chunks; the tail follows them.
    var stored = 0

    /// The tokens after these.
    private(set) var tail = StreamHistory()

    /// The attempts that the tail came from, in order, with their counts of tokens.
    private(set) var runs: [EpochRun] = []

    /// The number of the log's row that the tail begins in; 0 for an empty tail and one that isn't logged.
    var tailSeq: Int64 = 0

    /// Whether the present turn writes its tail into a chunk.
    var isFlushed = false

    /// The model of its last attempt.
    var model: ModelName?

    /// A stream without tokens.
    init(stream: StreamID, job: UInt64, durability: Durability) {
        self.stream = stream
        self.job = job
        self.durability = durability
    }

    /// The number of committed tokens.
    var count: Int { stored + tail.count }

    /// Whether the tail is long enough for a chunk.
    ///
    /// - Parameters:
    ///   - tokens: Tokens of a chunk.
    ///   - bytes: Bytes of a chunk.
    /// - Returns: Whether it has as many of either.
    func isLong(tokens: Int, bytes: Int) -> Bool {
        tail.count >= tokens || tail.bytes >= bytes
    }

    /// Appends the tokens of a row; moves the places of text and details behind them.
    @inline(__always)
    mutating func append(
        _ columns: borrowing TokenColumns,
        tokens: Range<Int>,
        epoch: UInt32,
        byte: inout Int,
        detail: inout Int
    ) {
        byte = tail.append(columns, tokens: tokens, firstByte: byte)
        if columns.hasDetails { detail = tail.appendDetails(columns, tokens: tokens, firstByte: detail) }
        if let last = runs.last, last.epoch == epoch {
            runs[runs.count - 1].count += UInt32(tokens.count)
        } else {
            runs.append(EpochRun(epoch: epoch, count: UInt32(tokens.count)))
        }
    }

    /// Takes back the tail's last tokens, down to a count.
    mutating func truncateTail(to count: Int) {
        var surplus = UInt32(tail.count - count)
        tail.truncate(to: count)
        while surplus > 0, let last = runs.last {
            if last.count > surplus {
                runs[runs.count - 1].count -= surplus
                return
            }
            surplus -= last.count
            runs.removeLast()
        }
    }

    /// The tail is in chunks now.
    mutating func tailStored(keepingMemory keeps: Bool) {
        stored += tail.count
        tail.removeAll(keepingMemory: keeps)
        runs.removeAll(keepingCapacity: true)
        tailSeq = 0
    }

    /// Copies a part of the tail, one row an attempt.
    ///
    /// - Parameters:
    ///   - range: Places in the tail.
    ///   - columns: Columns without rows.
    func copy(_ range: Range<Int>, into columns: inout TokenColumns) {
        var first = 0
        for run in runs {
            let part = (first..<first + Int(run.count)).clamped(to: range)
            first += Int(run.count)
            guard !part.isEmpty else { continue }
            columns.streams.append(stream.rawValue)
            columns.epochs.append(run.epoch)
            columns.firstIndexes.append(UInt64(stored + part.lowerBound))
            columns.counts.append(UInt32(part.count))
        }
        tail.readTokens(range, into: &columns)
    }
}

/// Consecutive tokens of one attempt.
struct EpochRun: Equatable {
    /// The attempt.
    let epoch: UInt32

    /// How many tokens.
    var count: UInt32
}
