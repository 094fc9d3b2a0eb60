import ApusModel

/// What the journal knows of its log of tokens: one row a turn, kept until every token of it is in a chunk or needed no more.
struct TokenLog {
    /// The row that the next turn writes.
    private(set) var next: Int64 = 1

    /// The oldest row.
    private(set) var first: Int64 = 1

    /// Bytes of all rows.
    private(set) var bytes = 0

    /// The sizes of the rows from `first` on, behind `sizesHead` that are gone.
    private var sizes: [Int] = []
    private var sizesHead = 0

    /// Streams by the rows in which their tails began, oldest first; where a stream's tail has begun anew since, the entry is stale.
    private var tails: [(stream: StreamID, seq: Int64)] = []
    private var tailsHead = 0

    /// How many rows there are.
    var rows: Int { Int(next - first) }

    /// Bytes of the rows before one.
    func bytes(before seq: Int64) -> Int {
        sizes[sizesHead..<sizesHead + Int(min(seq, next) - first)].reduce(0, +)
    }

    /// A row was written, with so many bytes.
    mutating func appended(_ size: Int) {
        sizes.append(size)
        bytes += size
        next += 1
    }

    /// Rows up to a number were written by a former life and are gone.
    mutating func start(after seq: Int64) {
        guard seq >= next else { return }
        if rows == 0 {
            first = seq + 1
        } else {
            while first + Int64(sizes.count - sizesHead) <= seq { sizes.append(0) }
        }
        next = seq + 1
    }

    /// A row that a former life wrote; rows come in order, and numbers between them are of rows that are gone.
    mutating func found(_ seq: Int64, _ size: Int) {
        if rows == 0 { first = seq }
        while first + Int64(sizes.count - sizesHead) < seq { sizes.append(0) }
        next = seq
        appended(size)
    }

    /// Rows before one are gone.
    mutating func removed(before seq: Int64) {
        bytes -= bytes(before: seq)
        sizesHead += Int(seq - first)
        first = seq
        guard sizesHead > 1_024, sizesHead * 2 > sizes.count else { return }
        sizes.removeFirst(sizesHead)
        sizesHead = 0
    }

    /// A stream's tail begins in a row, the newest.
    mutating func began(_ stream: StreamID, _ seq: Int64) { tails.append((stream, seq)) }

    /// The oldest row that is needed: that in which the oldest tail begins.
    mutating func floor(of live: borrowing LiveStreams) -> Int64 {
        while tailsHead < tails.count, !isPresent(tails[tailsHead], live) { tailsHead += 1 }
        if tailsHead > 1_024, tailsHead * 2 > tails.count {
            tails.removeFirst(tailsHead)
            tailsHead = 0
        }
        return tailsHead < tails.count ? tails[tailsHead].seq : next
    }

    /// The streams whose tails hold the log's oldest rows.
    func oldestTails(_ limit: Int, of live: borrowing LiveStreams) -> [StreamID] {
        var oldest: [StreamID] = []
        var place = tailsHead
        while place < tails.count, oldest.count < limit {
            if isPresent(tails[place], live) { oldest.append(tails[place].stream) }
            place += 1
        }
        return oldest
    }

    private func isPresent(_ tail: (stream: StreamID, seq: Int64), _ live: borrowing LiveStreams) -> Bool {
        live[tail.stream].map { live.streams[$0].tailSeq == tail.seq } ?? false
    }
}
